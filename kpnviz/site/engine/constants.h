// Written by `python -m kpnviz.site` from the constants of the Python code; do not edit.
#define CAP 20.0f
#define BASE 17
#define PLAIN_SHARPNESS 1.5f
#define PLAIN_SHARPNESS_1D 2.0f
#define DIFFERENCE_SCALE 8.0f
#define WIDE_SCALE 32.0f
#define INPUT_GAIN_0 4.0f
#define INPUT_GAIN_1 4.0f
#define INPUT_GAIN_2 8.0f
#define NOISE_LEFT_GAIN 2.0f
#define BRIGHTNESS_OFFSET 1.2f
#define LOGITS 4.0f
#define COST_WEIGHT 5.0f
#define FOUND_WEIGHT 0.6f
