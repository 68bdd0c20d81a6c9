// Written by `python -m kpnviz.site` from the constants of the Python code; do not edit.

/** What random numbers are drawn for: kpnviz.burst.Stream */
export const STREAMS = {"SHAKE": 1, "GRAIN": 2, "CROPS": 3, "COLOR_GRAIN": 4, "OBJECTS": 5, "CAMERA": 6};

/** [gain, log10 read_std, log10 shot_gain]: kpnviz.noise.GAINS */
export const GAINS = [[1, -2.1, -2.6], [2, -1.8, -2.3], [4, -1.4, -1.9], [8, -1.1, -1.5]];

/** Of read_std in stabilized frames: kpnviz.noise */
export const LEAST_STD = 1e-09;

/** Of frames without any noise */
export const STD_WITHOUT_NOISE = 0.001;

/** read_std and shot_gain that a blind network assumes */
export const BLIND_NOISE = [0.005623413251903491, 0.001];

/** Of linear R, G and B */
export const LUMINANCE_WEIGHTS = [0.2126, 0.7152, 0.0722];

/** From XYZ at D50, in which color profiles are, to linear R, G and B of sRGB */
export const FROM_XYZ = [[3.13360257102309, -1.6168214013565445, -0.49074240441282396], [-0.9786503158825014, 1.916061004125328, 0.033512902048440076], [0.07207655781398957, -0.22906554547222158, 1.4053594967545648]];

/** Of the channel that a network is shown of a burst in color */
export const GUIDE_WEIGHTS = [0.25, 0.5, 0.25];

/** Its assumed noise as a multiple of its own */
export const GUIDE_NOISE_SCALE = 1.2;

/** Channels of a frame's encoded costs */
export const ENCODED = 24;

/** Channels that a frame's factors are predicted from */
export const MIXED = 64;

/** Of the trunk of networks that match, a pixel */
export const INPUTS = 5;

/** Within which its features are held */
export const MOST_FEATURE = 40.0;

/** Side of the largest kernel that a network may predict */
export const LARGEST = 101;

/** Of kernels of other networks: kpnviz.limits */
export const LIMITS = {"kernel": 61, "frames": 32, "methods": 16, "intensity": 1000000.0, "format": "kpnviz kernels 1"};

/** Which kernel size errs least where: kpnviz.analysis.best_size */
export const BEST_SIZE = {"window_sigma": 4.0, "tie": 0.1, "no_error": 1e-12, "titles": ["small", "middle", "large"]};

/** Flat, edge and textured pixels: kpnviz.analysis.maps */
export const PIXEL_CLASSES = {"names": ["flat", "edge", "textured"], "flat_gradient": 0.015, "coherence": 0.6};

/** What a network's config holds, and its defaults */
export const CONFIG = {"sizes": [1, 3, 5, 7, 9, 11], "separable": true, "frames": 8, "noise_map": true, "direct": false, "trunk": {"encoder": [32, 64, 128, 128, 128], "decoder": [128, 128, 64], "convs": 2, "leak": 0.0}, "matching": false, "windows": 3};
