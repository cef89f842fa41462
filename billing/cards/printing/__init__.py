"""Drawing the PINs of a batch and writing them, encrypted, to its print file: once."""
