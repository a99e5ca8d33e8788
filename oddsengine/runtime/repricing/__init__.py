"""What-if: recorded input is priced anew and compared with what was published."""
