"""What the numbers mean, in plain Python: slow, obvious, and independent of the SQL that it judges.

Nothing here is fast or shared with the product. A test builds a history, asks this package and the engine the same
question, and compares.
"""
