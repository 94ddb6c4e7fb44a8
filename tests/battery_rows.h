/* Rows of the battery (test_battery.c) for models with users of their own: {model, task, personal, quick parameters, metric and band on
 * MovieLens 100K with the default parameters and the default split}. */
