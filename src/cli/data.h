/* The actions of mnist_gpu data, each a command of its own: its words are those after the action's
 * name. */
#ifndef CLI_DATA_H
#define CLI_DATA_H

#include "cli.h"

mg_status data_download(int argc, char **argv);
mg_status data_synth(int argc, char **argv);
mg_status data_verify(int argc, char **argv);
mg_status data_stats(int argc, char **argv);
mg_status data_import(int argc, char **argv);
mg_status data_export(int argc, char **argv);
mg_status data_preview(int argc, char **argv);

/* Saves images of the set's size, [c][h][w] each, in rows of `columns` as one picture (.png, .pgm,
 * .ppm); the place of one that is NULL stays grey. images: [count]. MG_ERR_UNSUPPORTED: neither 1
 * nor 3 channels; else as mg_image_save. */
mg_status data_save_sheet(const char *path, const mg_dataset *set, const uint8_t *const *images,
                          uint32_t count, uint32_t columns);

/* Prints the same in characters. One channel is ink on white paper. */
mg_status data_show_sheet(const mg_dataset *set, const uint8_t *const *images, uint32_t count,
                          uint32_t columns);

/* mg_dataset_download with a progress line. */
mg_status cli_download(const char *dir, const char *set, const char *mirror);

#endif
