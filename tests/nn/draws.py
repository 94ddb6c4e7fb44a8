"""Numbers that golden scripts and tests (draws.h) draw alike."""
import torch


def bits(seed, i):
    h = (i * 2654435761 + seed * 2246822519) % 2**32
    h ^= h >> 15
    h = h * 2246822519 % 2**32
    h ^= h >> 13
    return h >> 8


def draw(seed, n):
    """Numbers in [-0.5, 0.5)."""
    return torch.tensor([bits(seed, i) / 2**24 - 0.5 for i in range(n)])


def below(seed, i, n):
    return bits(seed, i) % n


def pair(x):
    """The norm, and the sum by draw(99, .), as C."""
    flat = x.reshape(-1)
    return "{%.12g, %.12g}" % (flat.norm().item(), (flat * draw(99, len(flat))).sum().item())
