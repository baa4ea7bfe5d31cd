/* Double-precision functions for numbers that reach a weight: initialisers, schedules, scaling.
 * libm's own differ between machines in their last bits (it picks variants at run time), so these
 * are written with + - * / only, which IEEE 754 fixes. SPDX-License-Identifier: MIT */
#ifndef NU_BASE_REAL_H
#define NU_BASE_REAL_H

#include <stdint.h>

/* Natural logarithm, x > 0 and normal; relative error below 4 ulp. */
double nu_real_log(double x);
/* e^x, |x| <= 700; relative error below 4 ulp. */
double nu_real_exp(double x);
/* The same for any x, where a result that no double holds does not matter: e^700 above 700, 0 below
 * -700. */
double nu_real_exp_any(double x);
/* ln(1 + x), 0 <= x <= 1; e^x - 1, -700 <= x <= 0; relative error below 8 ulp. */
double nu_real_log1p(double x);
double nu_real_expm1(double x);
/* 2 / sqrt(pi) times the integral of e^(-t^2) from x on, any x; relative error below 2^-46, and 0
 * from 26 on. Dear near 1. */
double nu_real_erfc(double x);
/* cos(pi x), any finite |x| < 2^51; absolute error below 2^-51. */
double nu_real_cospi(double x);
/* base^n by squaring, n multiplications in a fixed order. */
double nu_real_power(double base, uint64_t n);

#endif
