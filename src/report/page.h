/* The parts of report.html. SPDX-License-Identifier: MIT */
#ifndef NU_REPORT_PAGE_H
#define NU_REPORT_PAGE_H

#include <stddef.h>

#include "base/text.h"
#include "report/report.h"

/* The style sheet, light and dark. */
void nu_page_style(nu_text *out);

/* The curves over the epochs, one card for each that has numbers to draw; returns how many. */
size_t nu_page_curves(const nu_result *result, nu_text *out);

/* Confusions and scores by class; nothing for regression. */
void nu_page_classes(const nu_result *result, nu_text *out);

#endif
