"""The device that a network runs on."""

import torch


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the torch device that `device` means on this machine, or raise a ValueError."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f'Got device={device!r}, expected "auto", "cpu", "cuda", "cuda:1", "mps" or another '
            f"name that torch.device knows: {error}"
        ) from error
    if device.type == "cuda":
        is_there = (device.index or 0) < torch.cuda.device_count()
    elif device.type == "mps":
        is_there = torch.backends.mps.is_available()
    else:
        is_there = device.type == "cpu"
    if not is_there:
        raise ValueError(f'Got device={str(device)!r}, which is not there. Use device="auto".')
    return device
