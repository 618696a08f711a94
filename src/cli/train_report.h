/* What a training says as it goes, on the terminal as run->verbose has it and in its log. */
#ifndef CLI_TRAIN_REPORT_H
#define CLI_TRAIN_REPORT_H

#include "train_run.h"

/* Before: the model, the device, the data. */
mg_status train_report_header(train_run *run, const train_data *data);

/* Within: the bar; a line for each epoch. */
void train_report_progress(void *user, const mg_progress *progress);
mg_status train_report_epoch(train_run *run, const mg_epoch *epoch);
char *train_report_epoch_line(const train_run *run, const mg_epoch *epoch); /* that; malloc'd */

/* After: the figures with the run's weights (the best, if it keeps them) on training, validation
 * and test images, or on the test images alone if verbose is 0. The only look at the test set. */
mg_status train_report_result(train_run *run, const train_data *data);

#endif
