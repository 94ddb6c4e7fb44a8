/* e^x in float, the same steps at every level: n = round(x / ln 2) by adding and taking away 1.5 * 2^23, r = x - n ln 2
 * in two parts, a polynomial of degree 6 in r on [-ln 2 / 2, ln 2 / 2] (the coefficients of Cephes' expf), and 2^n in
 * two halves so that neither leaves the normal range. */
#ifndef PEN_KERN_EXP_CONSTANTS_H
#define PEN_KERN_EXP_CONSTANTS_H

#define EXP_LOW (-104.0f) /* e^x rounds to 0 below, to infinity above */
#define EXP_HIGH 89.0f
#define EXP_LOG2E 1.44269504088896341f
#define EXP_ROUND 12582912.0f /* 1.5 * 2^23 */
#define EXP_LN2_HIGH 0.693359375f
#define EXP_LN2_LOW (-2.12194440e-4f)
#define EXP_C0 1.9875691500e-4f
#define EXP_C1 1.3981999507e-3f
#define EXP_C2 8.3334519073e-3f
#define EXP_C3 4.1665795894e-2f
#define EXP_C4 1.6666665459e-1f
#define EXP_C5 5.0000001201e-1f

#endif
