"""What is found about the data itself."""
