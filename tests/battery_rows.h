/* Rows of the battery (test_battery.c) for models with users of their own: {model, task, personal, quick parameters, metric and band on
 * MovieLens 100K with the default parameters and the default split}. */
    {"ials", PEN_TASK_RANK, 1, {"factors=5", "epochs=6", "regularization=0.01", NULL}, "ndcg@10", 0.165, 0.21},
    {"ials", PEN_TASK_RANK, 1, {"factors=9", "epochs=6", "objective=hkv", "solver=ialspp", "block=4", NULL}, "recall@20", 0.19, 0.23},
