"""Parts of all emulators: the market model they quote, the faults they inject, and their HTTP server. Knows no provider."""
