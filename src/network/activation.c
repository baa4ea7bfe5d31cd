/* The table of activations, with f, f' and the bounds of their rounding errors in double.
 * SPDX-License-Identifier: MIT */
#include "network/activation.h"

#include "base/least.h"
#include "base/real.h"
#include "base/roundoff.h"

#define U NU_UNIT

/* Errors of the curves of src/kernels/vector_math.h, and a little for those here: of the value, of
 * |f'| + gate, and what is flushed. */
#define VALUE (10.0 * U)
#define SLOPE (9.0 * U)
#define FLUSHED(z) (5.0 * (1.0 + nu_magnitude(z)) * NU_FLUSHED)

/* ---- bounds that several share */

/* (R4) a = f(z): what e_z becomes, and the error of f itself. The derivative grows over the way e_z
 * by at most e^(rate e_z), as |f''| <= rate f'. */
static double bound_smooth(double a, double slope, double steepest, double rate, double e_z) {
  double near = e_z < 1.0 ? nu_smaller_real(steepest, slope * nu_real_exp(rate * e_z)) : steepest;
  double carried = near * e_z;
  return carried + NU_FUNCTION * (nu_magnitude(a) + carried) + NU_FLUSHED;
}

/* f = z g(z), 0 <= g <= 1: |f'| at most `steepest`, |f''| and g' at most `curvature`. */
typedef struct gated {
  double steepest, curvature;
} gated;

static double bound_gated(gated f, double z, double a, double slope, double e_z) {
  double carried = nu_smaller_real(f.steepest, nu_magnitude(slope) + f.curvature * e_z) * e_z;
  return carried + VALUE * (nu_magnitude(a) + carried) + FLUSHED(z) + 5.0 * NU_FLUSHED * e_z;
}

/* (R6) f' as the engine computes it from z, in which f' moves by at most curvature e_z. */
static double bound_gated_slope(gated f, double z, double a, double slope, double e_z) {
  double carried = f.curvature * e_z, gate = z == 0.0 ? 1.0 : a / z;
  return carried + SLOPE * (nu_magnitude(slope) + gate + 2.0 * carried) + FLUSHED(z) +
         5.0 * NU_FLUSHED * e_z;
}

/* e^z - 1 times `depth`, below 0; f'' = f'. */
static double bound_exponential(double depth, double z, double a, double slope, double e_z) {
  double near = e_z < 1.0 ? nu_smaller_real(depth, slope * nu_real_exp(e_z)) : depth;
  return near * e_z + VALUE * (nu_magnitude(a) + near * e_z) + FLUSHED(z);
}

/* ---- identity; the step, whose rule has no f'; softmax */

static double identity(double z) { return z; }
static double one(double z, double a) { return (void)z, (void)a, 1.0; }
static double bound_identity(double z, double a, double e_z) { return (void)z, (void)a, e_z; }
static double bound_one(double z, double a, double e_z, double e_a) {
  return (void)z, (void)a, (void)e_z, (void)e_a, 0.0;
}

/* ---- sigmoid (1.2), (1.4) */

/* From the side where nothing overflows. */
static double sigmoid(double z) {
  if (z >= 0.0) return 1.0 / (1.0 + nu_real_exp_any(-z));
  double e = nu_real_exp_any(z);
  return e / (1.0 + e);
}

static double sigmoid_slope(double z, double a) { return (void)z, a * (1.0 - a); }

static double bound_sigmoid(double z, double a, double e_z) {
  return bound_smooth(a, sigmoid_slope(z, a), 0.25, 1.0, e_z);
}

static double bound_sigmoid_slope(double z, double a, double e_z, double e_a) {
  (void)z, (void)e_z;
  return nu_rounding_product(a, e_a, 1.0 - a, e_a + U * (1.0 - a + e_a));
}

/* ---- tanh */

/* (1 - e^-2|z|) / (1 + e^-2|z|); near 0, where that cancels, the series. */
static double hyperbolic_tangent(double z) {
  double size = nu_magnitude(z), s = z * z;
  if (size < 0.02) {
    return z * (1.0 + s * (-1.0 / 3 + s * (2.0 / 15 + s * (-17.0 / 315 + s * 62.0 / 2835))));
  }
  double e = nu_real_exp_any(-2.0 * size), t = (1.0 - e) / (1.0 + e);
  return z < 0.0 ? -t : t;
}

static double tanh_slope(double z, double a) { return (void)z, 1.0 - a * a; }

static double bound_tanh(double z, double a, double e_z) {
  return bound_smooth(a, tanh_slope(z, a), 1.0, 2.0, e_z);
}

static double bound_tanh_slope(double z, double a, double e_z, double e_a) {
  (void)z, (void)e_z;
  double e_square = 2.0 * nu_magnitude(a) * e_a + e_a * e_a;
  return e_square + U * (1.0 - a * a + e_square) + NU_FLUSHED;
}

/* ---- relu, leaky_relu */

static double relu(double z) { return z < 0.0 ? 0.0 : z; } /* this way round NaN stays NaN */
static double relu_slope(double z, double a) { return (void)a, z > 0.0 ? 1.0 : 0.0; }
static double bound_relu(double z, double a, double e_z) { return (void)a, z > 0.0 ? e_z : 0.0; }

static double leaky(double z) { return z < 0.0 ? (double)NU_LEAKY_SLOPE * z : z; }
static double leaky_slope(double z, double a) {
  return (void)a, z > 0.0 ? 1.0 : (double)NU_LEAKY_SLOPE;
}
static double bound_leaky(double z, double a, double e_z) {
  (void)a;
  if (z > 0.0) return e_z;
  return nu_rounding_product((double)NU_LEAKY_SLOPE, 0.0, nu_magnitude(z), e_z);
}

/* ---- gelu */

static const gated of_gelu = {1.13, 0.8};

static double normal(double z) { return 0.5 * nu_real_erfc(-0.70710678118654752 * z); }
static double gelu(double z) { return z * normal(z); }
static double gelu_slope(double z, double a) {
  static const double ROOT_2_PI = 2.5066282746310005;
  (void)a;
  return normal(z) + z * nu_real_exp_any(-0.5 * z * z) / ROOT_2_PI;
}
static double bound_gelu(double z, double a, double e_z) {
  return bound_gated(of_gelu, z, a, gelu_slope(z, a), e_z);
}
static double bound_gelu_slope(double z, double a, double e_z, double e_a) {
  (void)e_a;
  return bound_gated_slope(of_gelu, z, a, gelu_slope(z, a), e_z);
}

/* ---- silu */

static const gated of_silu = {1.1, 0.5};

static double silu(double z) { return z * sigmoid(z); }
static double silu_slope(double z, double a) {
  return (void)a, sigmoid(z) * (1.0 + z * sigmoid(-z));
}
static double bound_silu(double z, double a, double e_z) {
  return bound_gated(of_silu, z, a, silu_slope(z, a), e_z);
}
static double bound_silu_slope(double z, double a, double e_z, double e_a) {
  (void)e_a;
  return bound_gated_slope(of_silu, z, a, silu_slope(z, a), e_z);
}

/* ---- mish */

static const gated of_mish = {1.09, 0.65};

/* tanh(softplus(z)): with w = e^-|z| the powers of 1 + w and 1 + 1/w; and its derivative. */
static double mish_gate(double z, double *rise) {
  bool low = z < 0.0;
  double w = nu_real_exp_any(low ? z : -z);
  double over = low ? w * (w + 2.0) : 1.0 + 2.0 * w;
  double under = low ? over + 2.0 : over + 2.0 * w * w;
  *rise = 4.0 * (1.0 + w) * (low ? w : w * w) / (under * under);
  return over / under;
}

static double mish(double z) {
  double rise;
  return z * mish_gate(z, &rise);
}
static double mish_slope(double z, double a) {
  double rise, gate = mish_gate(z, &rise);
  return (void)a, gate + z * rise;
}
static double bound_mish(double z, double a, double e_z) {
  return bound_gated(of_mish, z, a, mish_slope(z, a), e_z);
}
static double bound_mish_slope(double z, double a, double e_z, double e_a) {
  (void)e_a;
  return bound_gated_slope(of_mish, z, a, mish_slope(z, a), e_z);
}

/* ---- elu */

static double exp_minus_1(double z) { return z < -700.0 ? -1.0 : nu_real_expm1(z); }

static double elu(double z) { return z > 0.0 ? z : exp_minus_1(z); }
static double elu_slope(double z, double a) { return (void)a, z > 0.0 ? 1.0 : nu_real_exp_any(z); }
static double bound_elu(double z, double a, double e_z) {
  return bound_exponential(1.0, z, a, elu_slope(z, a), e_z);
}
/* 1, or a + 1; near 0 a' may have the other sign, and is then below e_a */
static double bound_elu_slope(double z, double a, double e_z, double e_a) {
  return z <= e_z ? e_a + U * (elu_slope(z, a) + e_a) + NU_FLUSHED : 0.0;
}

/* ---- selu */

static double selu(double z) {
  return z > 0.0 ? (double)NU_SELU_SLOPE * z : (double)NU_SELU_DEPTH * exp_minus_1(z);
}
static double selu_slope(double z, double a) {
  return (void)a, z > 0.0 ? (double)NU_SELU_SLOPE : (double)NU_SELU_DEPTH * nu_real_exp_any(z);
}
static double bound_selu(double z, double a, double e_z) {
  return z > 0.0 ? nu_rounding_product((double)NU_SELU_SLOPE, 0.0, z, e_z)
                 : bound_exponential((double)NU_SELU_DEPTH, z, a, selu_slope(z, a), e_z);
}
static double bound_selu_slope(double z, double a, double e_z, double e_a) {
  (void)e_z;
  return z <= 0.0 ? e_a + U * (selu_slope(z, a) + e_a) + NU_FLUSHED : 0.0;
}

/* ---- softplus */

static double softplus(double z) {
  return (z < 0.0 ? 0.0 : z) + nu_real_log1p(nu_real_exp_any(z < 0.0 ? z : -z));
}
static double softplus_slope(double z, double a) { return (void)a, sigmoid(z); }
static double bound_softplus(double z, double a, double e_z) {
  return bound_smooth(a, softplus_slope(z, a), 1.0, 1.0, e_z) + FLUSHED(z);
}
static double bound_softplus_slope(double z, double a, double e_z, double e_a) {
  double slope = softplus_slope(z, a);
  (void)e_a;
  return bound_smooth(slope, slope * (1.0 - slope), 0.25, 1.0, e_z) + FLUSHED(z);
}

/* ---- the table */

/* He for the ReLU family, whose units pass half of the variance, and for what is used in their
 * place: gelu, silu and mish were proposed so, elu with He's (Clevert et al. 2016). selu keeps the
 * variance only with LeCun's normal numbers (Klambauer et al. 2017). Glorot otherwise.
 *
 * A kink in f' alone, as elu has it, is enough to spoil a difference of fourth order. */
#define GLOROT_UNIFORM \
  { NU_SCHEME_GLOROT, false }
#define HE_NORMAL \
  { NU_SCHEME_HE, true }
#define LECUN_NORMAL \
  { NU_SCHEME_LECUN, true }
static const nu_activation_row rows[NU_ACTIVATIONS] = {
    [NU_STEP] = {"step", GLOROT_UNIFORM, 0.2, false, identity, one, bound_identity, bound_one},
    [NU_IDENTITY] = {"identity", GLOROT_UNIFORM, 0.1, false, identity, one, bound_identity,
                     bound_one},
    [NU_SIGMOID] = {"sigmoid", GLOROT_UNIFORM, 1.0, false, sigmoid, sigmoid_slope, bound_sigmoid,
                    bound_sigmoid_slope},
    [NU_TANH] = {"tanh", GLOROT_UNIFORM, 0.95, false, hyperbolic_tangent, tanh_slope, bound_tanh,
                 bound_tanh_slope},
    [NU_RELU] = {"relu", HE_NORMAL, 0.2, true, relu, relu_slope, bound_relu, bound_one},
    [NU_LEAKY_RELU] = {"leaky_relu", HE_NORMAL, 0.2, true, leaky, leaky_slope, bound_leaky,
                       bound_one},
    [NU_GELU] = {"gelu", HE_NORMAL, 2.2, false, gelu, gelu_slope, bound_gelu, bound_gelu_slope},
    [NU_SILU] = {"silu", HE_NORMAL, 1.1, false, silu, silu_slope, bound_silu, bound_silu_slope},
    [NU_ELU] = {"elu", HE_NORMAL, 1.05, true, elu, elu_slope, bound_elu, bound_elu_slope},
    [NU_SELU] = {"selu", LECUN_NORMAL, 1.2, true, selu, selu_slope, bound_selu, bound_selu_slope},
    [NU_MISH] = {"mish", HE_NORMAL, 1.3, false, mish, mish_slope, bound_mish, bound_mish_slope},
    [NU_SOFTPLUS] = {"softplus", GLOROT_UNIFORM, 1.7, false, softplus, softplus_slope,
                     bound_softplus, bound_softplus_slope},
    [NU_SOFTMAX] = {"softmax", GLOROT_UNIFORM, 2.0, false, identity, one, bound_identity,
                    bound_one},
};

const nu_activation_row *nu_activation_row_of(nu_activation activation) {
  return &rows[activation];
}

const char *nu_activation_name(nu_activation activation) { return rows[activation].name; }

void nu_activation_names(const char *names[NU_ACTIVATIONS]) {
  for (size_t i = 0; i < NU_ACTIVATIONS; i++) names[i] = rows[i].name;
}
