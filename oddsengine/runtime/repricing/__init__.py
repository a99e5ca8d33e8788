"""What-if: recorded input is repriced and compared with what was published."""
