"""Show that a course project's convolutional VAE is one setting of ConvVAE.

Its network is three stride-2 convolutions of 32, 64 and 128 channels on images of
128 x 640, with 128 latent dimensions. Here it is written out in plain torch, and its
weights are counted beside those of ConvVAE with the same numbers.

Usage: python benchmarks/count_parameters.py
"""

from torch import nn

from sklearn_music.embedding.nn import ConvModule


def main():
    n_flat = 128 * 16 * 80
    layers = [
        nn.Conv2d(1, 32, 3, stride=2, padding=1),
        nn.Conv2d(32, 64, 3, stride=2, padding=1),
        nn.Conv2d(64, 128, 3, stride=2, padding=1),
        nn.Linear(n_flat, 128),  # mean
        nn.Linear(n_flat, 128),  # log-variance
        nn.Linear(128, n_flat),
        nn.ConvTranspose2d(128, 64, 3, stride=2, padding=1, output_padding=1),
        nn.ConvTranspose2d(64, 32, 3, stride=2, padding=1, output_padding=1),
        nn.ConvTranspose2d(32, 1, 3, stride=2, padding=1, output_padding=1),
    ]
    ours = ConvModule(128 * 640, 128, (128, 640), (32, 64, 128))
    print("| | parameters |\n|---|---:|")
    for name, modules in (("course project", layers), ("ConvVAE", [ours])):
        n_weights = sum(weights.numel() for module in modules for weights in module.parameters())
        print(f"| {name} | {n_weights:,} |")


if __name__ == "__main__":
    main()
