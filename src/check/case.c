#include "check/case.h"
#include "philox.h"
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- cases ---- */

/* FNV-1a: a case's values depend on its name and the seed, not on which other cases run. */
static uint64_t hash(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *text; text++) h = (h ^ (uint8_t)*text) * 0x100000001b3u;
    return h;
}

bool mg__check_begin(mg_check *c, const char *op, const char *fmt, ...)
{
    va_list args;
    const char *only = c->options->only;
    va_start(args, fmt);
    vsnprintf(c->name, sizeof c->name, fmt, args);
    va_end(args);
    if (only && strcmp(only, op) && fnmatch(only, c->name, 0)) return false;
    c->op = op;
    c->key = c->options->seed ^ hash(c->name);
    c->cases++;
    return true;
}

static mg_check_record record_of(const mg_check *c, const char *tensor)
{
    mg_check_record r = {.op = c->op, .passed = true};
    snprintf(r.name, sizeof r.name, "%s", c->name);
    snprintf(r.tensor, sizeof r.tensor, "%s", tensor);
    return r;
}

void mg__check_end(mg_check *c, mg_status st)
{
    if (!st) return;
    mg_check_record r = record_of(c, "");
    r.passed = false;
    snprintf(r.problem, sizeof r.problem, "%s", mg_last_error());
    c->report(c->user, &r);
}

void mg__check_command(char *out, size_t size, const mg_check_record *r,
                       const mg_check_options *options)
{
    char nets[40] = "", kernels[40] = "";
    if (options->kernels && strcmp(options->kernels, "auto") != 0)
        snprintf(kernels, sizeof kernels, " --kernels %s", options->kernels);
    if (!strcmp(r->op, "random net"))
        snprintf(nets, sizeof nets, " --random-nets %d", options->random_nets);
    snprintf(out, size, "mnist_gpu check --device %s%s --seed %llu%s --only '%s'", options->device,
             kernels, (unsigned long long)options->seed, nets, r->name);
}

/* ---- values ---- */

uint32_t mg__check_word(const mg_check *c, uint32_t id, size_t i)
{
    return mg__philox(c->key, (uint32_t)(i / 4), (uint32_t)(i / 4 >> 32), id,
                      0x63686563u /* chec */)
        .v[i % 4];
}

int mg__check_integer(const mg_check *c, uint32_t id, size_t i, int low, int high)
{
    const uint64_t span = (uint64_t)(high - low) + 1;
    return low + (int)(mg__check_word(c, id, i) * span >> 32);
}

float mg__check_real(const mg_check *c, uint32_t id, size_t i, float low, float high)
{
    return low + (high - low) * mg__philox_unit(mg__check_word(c, id, i));
}

/* ---- comparing ---- */

/* error / tolerance, infinite for any error where there may be none. */
static double ratio_of(double error, double tolerance)
{
    if (error == 0) return 0;
    return tolerance > 0 ? error / tolerance : INFINITY;
}

/* |found - expected|; infinite if one alone is NaN. */
static double error_of(double found, double expected)
{
    if (found == expected || (isnan(found) && isnan(expected))) return 0;
    const double error = fabs(found - expected);
    return isnan(error) ? INFINITY : error;
}

void mg__check_compare(mg_check *c, const char *tensor, const float *found, const float *expected,
                       size_t count, double factor, const float *scale)
{
    mg_check_record r = record_of(c, tensor);
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        /* A CPU may flush numbers below FLT_MIN to zero. */
        const double tolerance = factor ? c->slack * factor * scale[i] + FLT_MIN : 0;
        const double error = error_of(found[i], expected[i]), ratio = ratio_of(error, tolerance);
        if (error != 0 && !(error <= tolerance)) r.passed = false;
        if (error > r.abs_error) r.abs_error = error;
        if (fabs((double)expected[i]) > largest) largest = fabs((double)expected[i]);
        if (i && ratio <= r.ratio) continue;
        r.ratio = ratio;
        r.tolerance = tolerance;
        r.worst = i;
        r.found = found[i];
        r.expected = expected[i];
    }
    r.rel_error = ratio_of(r.abs_error, largest);
    c->report(c->user, &r);
}

void mg__check_compare_norm(mg_check *c, const char *tensor, const float *found,
                            const float *expected, size_t count, double limit, double rounding)
{
    mg_check_record r = record_of(c, tensor);
    double difference = 0, norm = 0, largest = -1;
    for (size_t i = 0; i < count; i++) {
        const double error = error_of(found[i], expected[i]);
        difference += error * error;
        norm += (double)expected[i] * expected[i];
        if (error <= largest) continue;
        largest = error;
        r.worst = i;
        r.found = found[i];
        r.expected = expected[i];
    }
    r.abs_error = sqrt(difference);
    r.tolerance = c->slack * (limit * sqrt(norm) + rounding);
    r.rel_error = ratio_of(r.abs_error, sqrt(norm));
    r.ratio = ratio_of(r.abs_error, r.tolerance);
    r.passed = r.abs_error <= r.tolerance;
    c->report(c->user, &r);
}

void mg__check_compare_bytes(mg_check *c, const char *tensor, const void *found,
                             const void *expected, size_t bytes)
{
    mg_check_record r = record_of(c, tensor);
    const uint8_t *f = found, *e = expected;
    for (size_t i = 0; i < bytes && r.passed; i++) {
        r.passed = f[i] == e[i];
        r.worst = i;
        r.found = f[i];
        r.expected = e[i];
    }
    if (r.passed)
        r.worst = 0;
    else
        r.abs_error = r.rel_error = r.ratio = INFINITY;
    c->report(c->user, &r);
}
