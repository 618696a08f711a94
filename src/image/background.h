/* The light that lies on a picture, taken out of it. */
#ifndef MG_BACKGROUND_H
#define MG_BACKGROUND_H

#include "image/plane.h"

/* Takes out light that grows from one side to the other: what it grows by along the borders, in
 * both directions, and whatever stands on them left out of account, is taken away, so that the
 * mean stays. Changes `plane`. */
void mg__background_level(mg__plane *plane);

/* Whether the dark strokes on a picture stand out more than the bright ones: the larger sum of
 * squares of bottom-hat and top-hat (below), by a square of a ninth of the longer side. */
bool mg__background_is_bright(const mg__plane *plane);

/* Turns grey levels into ink: how much darker than the paper around it (or brighter, for bright
 * ink) each pixel is. The paper is the grey closing of the picture (opening), by a square of a
 * quarter of its longer side: strokes wider than that vanish. (P. Soille, Morphological Image
 * Analysis, 2003, section 4.5: bottom-hat and top-hat.) Changes `plane`. */
mg_status mg__background_remove(mg__plane *plane, bool dark_ink);

#endif
