"""matplotlib, which is optional."""

# Okabe and Ito's colours, which the colour-blind can tell apart; black comes last.
COLORS = [
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
    "#000000",
]
MARKERS = ["o", "^", "s"]


def import_pyplot():
    """Return matplotlib.pyplot, or say how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            'The displays need matplotlib. Install it with: pip install "sklearn-music[plot]"'
        ) from error
    return plt
