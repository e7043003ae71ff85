"""The network over tracks: windows of a spectrogram, auxiliary features, product of experts."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ._conv import N_AUXILIARY_UNITS, ConvModule
from ._experts import Expert, expert, hide_some, product
from ._layers import perceptron
from ._outputs import Outputs, Pair, Posterior
from ._windows import augment, cut, frames_before_padding, random_starts

_N_HEAD_UNITS = 128

# Initial log-variance of the audio expert. The contrastive loss counts directions only and leaves
# means small: behind a large posterior variance the decoder would not find them.
_INITIAL_LOG_VARIANCE = -4.0


class TrackModule(ConvModule):
    """Variational autoencoder of windows of tracks.

    A sample is laid out as the spectrogram, band after band, then the auxiliary features. Where
    either is missing, all of it is NaN. Encoder and decoder work on views: a window, then the
    auxiliary features. `band_mean` and `band_scale` standardise the bands.
    """

    band_mean: Tensor
    band_scale: Tensor

    def __init__(
        self,
        n_features: int,
        n_components: int,
        image_shape: Sequence[int],
        window_frames: int,
        channels: Sequence[int],
        band_mean: Sequence[float],
        band_scale: Sequence[float],
        augmentation: float = 0.0,
        **kwargs: Any,
    ) -> None:
        self.n_bands, self.n_frames = image_shape
        n_auxiliary = n_features - self.n_bands * self.n_frames
        n_inputs = self.n_bands * window_frames + n_auxiliary
        super().__init__(n_inputs, n_components, (self.n_bands, window_frames), channels, **kwargs)
        self.window_frames = window_frames
        self.augmentation = augmentation
        self.register_buffer("band_mean", torch.tensor(band_mean, dtype=torch.float32)[:, None])
        self.register_buffer("band_scale", torch.tensor(band_scale, dtype=torch.float32)[:, None])
        n_pooled = 2 * self.n_channels * self.shapes[-1][0]
        self.head = perceptron([n_pooled, _N_HEAD_UNITS, 2 * n_components])
        *_, bias = self.head.parameters()
        with torch.no_grad():
            bias[n_components:] = _INITIAL_LOG_VARIANCE
        if n_auxiliary:
            self.auxiliary_encoder = perceptron([n_auxiliary, N_AUXILIARY_UNITS, 2 * n_components])

    def forward(
        self,
        x: Tensor,
        positive: Tensor | None = None,
        noise: Tensor | None = None,
        auxiliary_weight: float | None = None,
    ) -> Outputs:
        """Encode, draw, decode and compare a random window of each track.

        The contrastive pairs are that window and another one of the track, both without the
        auxiliary features, which would identify the track. The cross-modal pairs are the window
        and the auxiliary features. So no `positive` is needed.
        """
        normalized = self.normalized(x)
        has_audio = self.has_main(x)
        view = self._random_view(x, *normalized)
        audio = self._audio_expert(view, has_audio, augments=True)
        auxiliary = self._auxiliary_experts(view)
        has_both = has_audio & self.has_auxiliary(view)
        experts = [audio, *auxiliary]
        if self.training:
            experts = hide_some(experts, has_both)
        posterior = product(*experts)
        outputs = self._compare(view, posterior, posterior.sample(noise), auxiliary_weight)
        if not self.pair_weights["contrastive"]:
            return outputs
        other = self._random_view(x, *normalized)
        other_audio = self._audio_expert(other, has_audio, augments=True)
        pairs = {"contrastive": (product(other_audio).mean, has_audio)}
        if self.pair_weights["cross_modal"] and auxiliary:
            pairs["cross_modal"] = (product(*auxiliary).mean, has_both)
        anchor = product(audio).mean
        for name, (positives, is_there) in pairs.items():
            which = is_there[:, 0]
            outputs.pairs[name] = Pair(anchor[which], positives[which])
        return outputs

    def encode(self, x: Tensor) -> Posterior:
        """Return the posterior of each view."""
        audio = self._audio_expert(x, self.has_main(x))
        return product(audio, *self._auxiliary_experts(x))

    def embed(self, x: Tensor) -> Posterior:
        """Return the posterior of each track.

        Its windows say nearly the same, so they count as one expert: their geometric mean.
        """
        views, weights = self.views(x)
        flat = views.flatten(0, 1)
        experts = self._audio_expert(flat, self.has_main(flat))
        audio = Expert(
            *((part.view(*weights.shape, -1) * weights[:, :, None]).sum(dim=1) for part in experts)
        )
        return product(audio, *self._auxiliary_experts(views[:, 0]))

    def generate(self, z: Tensor, condition: Tensor) -> Tensor:
        """Return tracks of one window repeated, in the units of X, (n_samples, n_features).

        `condition` is the mean level of each track, (n_samples, 1).
        """
        view = self.decode(z, z[:, :0])
        frames = torch.arange(self.n_frames, device=z.device) % self.window_frames
        image = self._window(view)[:, :, frames] + condition[:, :, None]
        image = image * self.band_scale + self.band_mean
        return torch.cat([image.flatten(start_dim=1), view[:, self.n_main :]], dim=1)

    def elbo(self, x: Tensor, nodes: Tensor, variance: float = 1.0) -> Tensor:
        """Return the evidence lower bound of each track, the mean over its windows."""
        views, weights = self.views(x)
        of_views = super().elbo(views.flatten(0, 1), nodes, variance)
        return (of_views.view(weights.shape) * weights).sum(dim=1)

    def auxiliary(self, x: Tensor) -> Tensor:
        """Return the auxiliary features of tracks or views."""
        return x[:, x.shape[1] - self.n_auxiliary :]

    def normalized(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return loudness-normalised spectrograms, the level and the length of each track.

        Each band is standardised, then the level, which is the mean of all bands, is removed.
        """
        images = x[:, : self.n_bands * self.n_frames].reshape(-1, self.n_bands, self.n_frames)
        n_frames = frames_before_padding(images)
        images = (images - self.band_mean) / self.band_scale
        is_track = torch.arange(self.n_frames, device=x.device) < n_frames[:, None]
        level = (images * is_track[:, None]).sum(dim=(1, 2)) / (n_frames * self.n_bands)
        return images - level[:, None, None], level, n_frames

    def views(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return views of each track, half a window apart, and the weight of each.

        Shapes (n_samples, n_views, n_inputs) and (n_samples, n_views). A view that is not all
        within the track has a weight of 0.
        """
        images, _, n_frames = self.normalized(x)
        n_starts = max(self.n_frames - self.window_frames, 0) + 1
        starts = torch.arange(0, n_starts, max(1, self.window_frames // 2), device=x.device)
        views = [self._view(x, images, n_frames, start.expand(len(x))) for start in starts]
        is_within = starts <= (n_frames[:, None] - self.window_frames).clamp(min=0)
        weights = is_within.to(x.dtype)
        return torch.stack(views, dim=1), weights / weights.sum(dim=1, keepdim=True)

    def _random_view(self, x: Tensor, images: Tensor, _: Tensor, n_frames: Tensor) -> Tensor:
        return self._view(x, images, n_frames, random_starts(n_frames, self.window_frames, x))

    def _view(self, x: Tensor, images: Tensor, n_frames: Tensor, starts: Tensor) -> Tensor:
        window = cut(images, n_frames, starts, self.window_frames).flatten(start_dim=1)
        return torch.cat([window, self.auxiliary(x)], dim=1)

    def _window(self, view: Tensor) -> Tensor:
        return view[:, : self.n_main].reshape(-1, self.n_bands, self.window_frames)

    def _audio_expert(self, view: Tensor, is_there: Tensor, augments: bool = False) -> Expert:
        window = self._window(view)
        if augments and self.training and self.augmentation:
            window = augment(window, self.augmentation)
        hidden = self.convolutions(window.nan_to_num()[:, None]).flatten(1, 2)
        deviation = (hidden.var(dim=2, correction=0) + 1e-5).sqrt()
        return expert(self.head(torch.cat([hidden.mean(dim=2), deviation], dim=1)), is_there)

    def _auxiliary_experts(self, view: Tensor) -> list[Expert]:
        if self.auxiliary_encoder is None:
            return []
        is_there = self.has_auxiliary(view)
        auxiliary = torch.where(is_there, self.auxiliary(view), 0.0)
        return [expert(self.auxiliary_encoder(auxiliary), is_there)]
