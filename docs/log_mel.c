/* The log-mel patch of lean_audio/audio/log_mel.py in C99: cc -std=c99 -O2 log_mel.c -lm */
#include <math.h>
enum { RATE = 16000, WINDOW = 400, HOP = 160, FFT = 512, FRAMES = 96, BANDS = 64 };
static const double PI = 3.14159265358979323846;

static double mel(double hz) { return 1127.0 * log1p(hz / 700.0); }

static void fft(float *re, float *im) { /* in place, radix 2 */
    for (int i = 1, j = 0; i < FFT; i++) {
        int bit = FFT >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        if (i < (j ^= bit)) { float t = re[i]; re[i] = re[j]; re[j] = t; } /* im is still 0 */
    }
    for (int half = 1; half < FFT; half *= 2)
        for (int k = 0; k < half; k++) {
            float c = (float)cos(PI * k / half), s = (float)-sin(PI * k / half);
            for (int i = k; i < FFT; i += 2 * half) {
                float x = c * re[i + half] - s * im[i + half];
                float y = s * re[i + half] + c * im[i + half];
                re[i + half] = re[i] - x; im[i + half] = im[i] - y;
                re[i] += x; im[i] += y;
            }
        }
}

/* waveform: 15,600 samples or more in [-1, 1). A small chip keeps sines and filters in tables. */
void log_mel(const float *waveform, float patch[FRAMES][BANDS]) {
    double low = mel(125.0), step = (mel(7500.0) - low) / (BANDS + 1);
    for (int frame = 0; frame < FRAMES; frame++) {
        float re[FFT] = {0}, im[FFT] = {0}, sums[BANDS] = {0};
        for (int i = 0; i < WINDOW; i++)
            re[i] = waveform[frame * HOP + i] * (float)(0.5 - 0.5 * cos(2 * PI * i / WINDOW));
        fft(re, im);
        for (int bin = 1; bin <= FFT / 2; bin++) {
            double place = (mel((double)RATE * bin / FFT) - low) / step; /* 1: centre of band 0 */
            int band = (int)floor(place);
            float size = sqrtf(re[bin] * re[bin] + im[bin] * im[bin]), part = (float)(place - band);
            if (band >= 0 && band < BANDS) sums[band] += part * size;       /* it rises there */
            if (band >= 1 && band <= BANDS) sums[band - 1] += (1 - part) * size; /* and falls */
        }
        for (int band = 0; band < BANDS; band++) patch[frame][band] = logf(sums[band] + 0.001f);
    }
}
