"""The mathematics of pricing: margin removal and application, and fair probabilities from exchange books and quotes.

Functions of numbers and books alone. Nothing here knows a profile, a rule or the state of a market.
"""
