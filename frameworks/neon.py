"""neon, where an interpreter that has it is named: it is imported, and why it cannot train the same network is told."""


def trainer(options, work):
    import neon

    version = getattr(neon, "__version__", "of an unknown version")
    raise RuntimeError(
        f"neon {version} is there, but trains in batches of one size, and the last of an epoch has 96 images here"
    )
