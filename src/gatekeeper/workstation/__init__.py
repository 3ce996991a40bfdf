"""The operating system as gatekeeper sees it: files, processes, directories."""
