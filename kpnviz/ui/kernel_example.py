"""A file of kernels, written without any network of kpnviz: the example of the page Your kernels, which shows it."""

import numpy as np

import kpnviz

# Your frames: [N, H, W], or in color [N, 3, H, W]; linear intensity, white = 1.
frames = kpnviz.synthesize(kpnviz.BurstRecipe("city", crop=(110, 70, 96, 96), seed=3)).frames

# Your network's kernels: [N, K, K, H, W]. Here a bilateral filter over the burst takes its place: each neighbor
# weighs the more, the closer its value is to that of the pixel in frame 0.
(N, H, W), K = frames.shape, 5
padded = np.pad(frames, ((0, 0), (K // 2, K // 2), (K // 2, K // 2)))  # by zeros, as Conv2d does
taps = np.array([[padded[:, a : a + H, b : b + W] for b in range(K)] for a in range(K)])  # [K, K, N, H, W]
weights = np.exp(-(((taps - frames[0]) / 0.15) ** 2))
kernels = np.moveaxis(weights / weights.sum(axis=(0, 1, 2)), 2, 0)

# The picture that your network gave can be passed as image=: it is compared with what the kernels make of the frames.
burst = kpnviz.Burst(frames)
field = kpnviz.KernelField.from_kernels(kernels, padding="zero", reduce="sum")
mine = kpnviz.Estimate.of(burst, field, name="Bilateral filter")

if __name__ == "__main__":
    kpnviz.save_kernels("kernels.npz", burst, [mine])
