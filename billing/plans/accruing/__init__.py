"""What is due of plans at a moment: fees, included units, statements."""
