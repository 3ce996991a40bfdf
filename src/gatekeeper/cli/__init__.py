"""Words in, words out: the commands. Composes the layers below, never decides."""
