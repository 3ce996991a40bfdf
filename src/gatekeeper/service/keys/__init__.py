"""Private keys: the ceremony that makes them and the signer that uses them."""
