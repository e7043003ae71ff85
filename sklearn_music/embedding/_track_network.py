"""The network of a track: windows of its spectrogram, side features, and their product.

A row is laid out as the spectrogram, band after band, then the side features. Where either
is missing, all of it is NaN. Encoder and decoder work on views: a window, then the side
features.
"""

import math

import torch

from ._networks import ConvNetwork, _perceptron, _posterior

# A surer expert would overflow the sum of precisions.
_MIN_LOG_VARIANCE = -20.0

# Of a window's expert, before the training.
_FIRST_LOG_VARIANCE = -4.0

# Share of the tracks of which a step shows one part only, so that each expert learns to do alone.
_ALONE = 0.5


class TrackNetwork(ConvNetwork):
    """Encoder and decoder of a VAE over windows of tracks.

    Parameters
    ----------
    n_features : int
        Length of a row.
    n_components : int
        Number of latent dimensions.
    image_shape : tuple of int
        Bands and frames of the spectrogram.
    window_frames : int
        Frames of a window.
    channels : sequence of int
        Channels of the encoder's convolutions, each of which halves the window.
    band_mean, band_scale : sequence of float
        What each band is standardised by.
    augmentation : float, default=0.0
        How much the windows that the encoder sees in training are changed.
    ties_windows : bool, default=False
        Whether `forward` returns the places of two windows of each track.
    ties_side : bool, default=False
        Whether it then returns those of a window and of the side features of each track, too.
    auxiliary_weight : float, default=1.0
        Weight of the side features' error.
    """

    n_head_units = 128

    def __init__(
        self,
        n_features,
        n_components,
        image_shape,
        window_frames,
        channels,
        band_mean,
        band_scale,
        augmentation=0.0,
        ties_windows=False,
        ties_side=False,
        auxiliary_weight=1.0,
    ):
        self.n_bands, self.n_frames = image_shape
        n_side = n_features - self.n_bands * self.n_frames
        window_shape = (self.n_bands, window_frames)
        n_inputs = math.prod(window_shape) + n_side
        super().__init__(n_inputs, n_components, window_shape, channels, auxiliary_weight)
        self.window_frames = window_frames
        self.augmentation = augmentation
        self.ties_windows = ties_windows
        self.ties_side = ties_side
        self.n_side = n_side
        self.register_buffer("band_mean", torch.tensor(band_mean, dtype=torch.float32)[:, None])
        self.register_buffer("band_scale", torch.tensor(band_scale, dtype=torch.float32)[:, None])
        n_pooled = 2 * self.n_channels * self.shapes[-1][0]
        self.head = _perceptron([n_pooled, self.n_head_units, 2 * n_components])
        *_, bias = self.head.parameters()
        # The contrast, to which only directions count, leaves means small: behind wide draws of
        # the beginning the decoder would not find them.
        with torch.no_grad():
            bias[n_components:] = _FIRST_LOG_VARIANCE
        if n_side:
            self.side_encoder = _perceptron([n_side, self.n_side_units, 2 * n_components])

    def forward(self, x, positive=None, noise=None, auxiliary_weight=None):
        """Return the error of one draw from the posterior of a random window, and so on.

        As `Network.forward`; with `ties_windows` also the mean of the posterior of that
        window, and of one of the positive, which is the track itself where it is not given:
        both without the side features, which would give the track away. With `ties_side` then
        that of the window and that of the side features alone.
        """
        images, _, n_frames = self.levelled(x)
        view = self._random_view(x, images, n_frames)
        has_audio = self.has_audio(x)
        window = self._window(view)
        audio = self._audio_expert(self._augmented(window), has_audio)
        side = self._side_experts(view)
        experts = [audio, *side]
        has_both = has_audio & self.has_side(view)
        if self.training and self.n_side:
            draw = torch.rand_like(audio[0][:, :1])
            hidden = (draw < _ALONE / 2, draw >= 1 - _ALONE / 2)
            experts = [
                [part * ~(has_both & is_hidden) for part in expert]
                for expert, is_hidden in zip(experts, hidden, strict=True)
            ]
        mean, log_variance = product(*experts)
        z = self.draw(mean, log_variance, noise)
        x_hat = self.decode(z, self.condition(view)).float()
        output = self.error(view, x_hat, auxiliary_weight), z, mean, log_variance
        if not self.ties_windows:
            return output
        if positive is not None:
            x = positive
            images, _, n_frames = self.levelled(x)
        other = self._augmented(self._window(self._random_view(x, images, n_frames)))
        other_has_audio = self.has_audio(x)
        place = product(audio)[0]
        other_place = product(self._audio_expert(other, other_has_audio))[0]
        pairs = [(place, other_place, has_audio & other_has_audio)]
        if self.ties_side and side:
            pairs.append((place, product(*side)[0], has_both))
        places = [part[there[:, 0]] for *pair, there in pairs for part in pair]
        return (*output, *places)

    def encode(self, x):
        """Return mean and log-variance of the posterior of views, each (n_views, n_components)."""
        audio = self._audio_expert(self._window(x), self.has_audio(x))
        return product(audio, *self._side_experts(x))

    def encode_track(self, x):
        """Return mean and log-variance of the posterior of tracks, each (n_rows, n_components).

        The windows of a track are no independent witnesses: their experts count as one, the
        geometric mean of them.
        """
        views, weights = self.views(x)
        n_rows, n_views, _ = views.shape
        flat = views.flatten(0, 1)
        audio = [
            (part.view(n_rows, n_views, -1) * weights[:, :, None]).sum(dim=1)
            for part in self._audio_expert(self._window(flat), self.has_audio(flat))
        ]
        return product(audio, *self._side_experts(views[:, 0]))

    def decode_track(self, z, level):
        """Return rows of one window over and over, in the units of X, (n_rows, n_features)."""
        view = self.decode(z, z[:, :0])
        frames = torch.arange(self.n_frames, device=z.device) % self.window_frames
        image = self._window(view)[:, :, frames] + level[:, None, None]
        image = image * self.band_scale + self.band_mean
        return torch.cat([image.flatten(start_dim=1), view[:, self.n_pixels :]], dim=1)

    def n_observed(self, x, auxiliary_weight=1.0):
        """Return how many numbers of each view are there, (n_rows,), weighed as in `error`."""
        has_audio, has_side = (has(x)[:, 0].to(x.dtype) for has in (self.has_audio, self.has_side))
        return self.n_pixels * has_audio + auxiliary_weight * self.n_side * has_side

    def has_audio(self, x):
        """Tell of each row or view whether it has a spectrogram, (n_rows, 1)."""
        return ~x[:, :1].isnan()

    def has_side(self, x):
        """Tell of each row or view whether its side features are all there, (n_rows, 1)."""
        return ~self._side(x).isnan().any(dim=1, keepdim=True)

    def _side(self, x):
        return x[:, x.shape[1] - self.n_side :]

    def levelled(self, x):
        """Return spectrograms, each band standardised, each track at level 0.

        And the level and the length of each, (n_rows,).
        """
        images = x[:, : self.n_bands * self.n_frames].reshape(-1, self.n_bands, self.n_frames)
        n_frames = frames_before_padding(images)
        images = (images - self.band_mean) / self.band_scale
        is_track = torch.arange(self.n_frames, device=x.device) < n_frames[:, None]
        level = (images * is_track[:, None]).sum(dim=(1, 2)) / (n_frames * self.n_bands)
        return images - level[:, None, None], level, n_frames

    def views(self, x):
        """Return views of each track, half a window apart, and the weight of each.

        Shapes (n_rows, n_views, n_inputs) and (n_rows, n_views); those that are not all
        within the track weigh nothing.
        """
        images, _, n_frames = self.levelled(x)
        n_starts = max(self.n_frames - self.window_frames, 0) + 1
        starts = torch.arange(0, n_starts, max(1, self.window_frames // 2), device=x.device)
        views = [self._view(x, images, n_frames, start.expand(len(x))) for start in starts]
        is_within = starts <= (n_frames[:, None] - self.window_frames).clamp(min=0)
        weights = is_within.to(x.dtype)
        return torch.stack(views, dim=1), weights / weights.sum(dim=1, keepdim=True)

    def _random_view(self, x, images, n_frames):
        n_starts = (n_frames - self.window_frames).clamp(min=0) + 1
        starts = (x.new_empty(len(x)).uniform_() * n_starts).long()
        return self._view(x, images, n_frames, starts)

    def _view(self, x, images, n_frames, starts):
        """Return a window of each track and its side features; a shorter track is repeated."""
        frames = starts[:, None] + torch.arange(self.window_frames, device=x.device)
        frames = (frames % n_frames[:, None])[:, None].expand(-1, self.n_bands, -1)
        window = images.gather(2, frames).flatten(start_dim=1)
        return torch.cat([window, self._side(x)], dim=1)

    def _window(self, view):
        return view[:, : self.n_pixels].reshape(-1, self.n_bands, self.window_frames)

    def _augmented(self, window):
        """Return windows equalised, moved by some bands and masked at random."""
        if not self.training or not self.augmentation:
            return window
        n, n_bands, n_frames = window.shape
        bands = torch.arange(n_bands, device=window.device)
        numbers = torch.arange(4, dtype=window.dtype, device=window.device)
        # A smooth curve over the bands, made of the first waves of a cosine transform.
        waves = torch.cos(numbers[:, None] * bands * math.pi / n_bands)
        window = (
            window
            + (0.1 * self.augmentation * window.new_empty(n, 4).normal_() @ waves)[:, :, None]
        )
        most = self.augmentation * n_bands / 64
        shift = ((2 * window.new_empty(n, 1).uniform_() - 1) * most).round().long()
        moved = (bands + shift).clamp(0, n_bands - 1)
        window = window.gather(1, moved[:, :, None].expand(-1, -1, n_frames))
        is_masked = self._stretch(window, n_bands)[:, :, None]
        is_masked = is_masked | self._stretch(window, n_frames)[:, None]
        return window.masked_fill(is_masked, 0.0)

    def _stretch(self, window, length):
        """Return masks of a stretch at random, (n, length), of up to an eighth times as much."""
        draws = window.new_empty(len(window), 1)
        width = draws.uniform_() * min(1.0, self.augmentation / 8) * length
        start = draws.uniform_() * (length - width)
        places = torch.arange(length, device=window.device)
        return (places >= start.round()) & (places < (start + width).round())

    def _audio_expert(self, window, is_there):
        hidden = self.convolutions(window.nan_to_num()[:, None]).flatten(1, 2)
        deviation = (hidden.var(dim=2, correction=0) + 1e-5).sqrt()
        return _expert(self.head(torch.cat([hidden.mean(dim=2), deviation], dim=1)), is_there)

    def _side_experts(self, view):
        if self.side_encoder is None:
            return []
        has_side = self.has_side(view)
        side = torch.where(has_side, self._side(view), 0.0)
        return [_expert(self.side_encoder(side), has_side)]


def frames_before_padding(images):
    """Return the length of each spectrogram, (n_rows,), without the frames of silence behind it.

    They are those that equal the last one; a track of nothing else has no padding.
    """
    n_frames = images.shape[2]
    equals_last = (images == images[:, :, -1:]).all(dim=1)
    n_equal = equals_last.flip(1).to(torch.int64).cumprod(dim=1).sum(dim=1)
    is_padding = (n_equal > 1) & (n_equal < n_frames)
    return torch.where(is_padding, n_frames - n_equal, n_frames)


def product(*experts):
    """Return mean and log-variance of the product of the prior and Gaussian experts.

    Wu and Goodman, "Multimodal Generative Models for Scalable Weakly-Supervised Learning",
    2018, section 2.2.

    Parameters
    ----------
    experts : pair of Tensor of shape (n_rows, n_components)
        The precision of each, and its mean times that; zeros where it is absent.
    """
    precision = 1 + sum(precision for precision, _ in experts)
    return sum(evidence for _, evidence in experts) / precision, -precision.log()


def _expert(outputs, is_there):
    """Return the expert whose product with the prior alone has the mean that the head gives."""
    mean, log_variance = (part.float() for part in _posterior(outputs))
    precision = (-log_variance.clamp(min=_MIN_LOG_VARIANCE)).exp()
    return precision * is_there, (1 + precision) * mean * is_there
