/* Rows of the battery (test_battery.c) for models with users of their own: {model, task, personal, quick parameters, metric and band on
 * MovieLens 100K with the default parameters and the default split}. */
    {"ials", PEN_TASK_RANK, 1, {"factors=5", "epochs=6", "regularization=0.01", NULL}, "ndcg@10", 0.165, 0.21},
    {"ials", PEN_TASK_RANK, 1, {"factors=9", "epochs=6", "objective=hkv", "solver=ialspp", "block=4", NULL}, "recall@20", 0.19, 0.23},
    {"biased-mf", PEN_TASK_RATE, 1, {"factors=8", "epochs=20", "learning_rate=0.05", "regularization=0.02"}, "rmse", 0.945, 0.975},
    {"biased-mf", PEN_TASK_RATE, 1, {"solver=als", "factors=4", "epochs=6", "l1=0.001"}, "rmse", 0.945, 0.975},
    {"bpr", PEN_TASK_RANK, 1, {"factors=8", "epochs=20", "learning_rate=0.1"}, "ndcg@10", 0.175, 0.21},
    {"bpr", PEN_TASK_RANK, 1, {"factors=8", "epochs=20", "optimizer=adagrad", "sampler=dns", "candidates=2"}, "ndcg@10", 0.175, 0.21},
    {"user-knn", PEN_TASK_RANK, 1, {"k=20", NULL}, "ndcg@10", 0.175, 0.21},
    {"user-knn", PEN_TASK_RATE, 1, {"k=20", NULL}, "rmse", 0.92, 0.99},
    {"item-knn", PEN_TASK_RANK, 1, {"k=10", NULL}, "ndcg@10", 0.165, 0.2},
    {"item-knn", PEN_TASK_RATE, 1, {"k=10", NULL}, "rmse", 0.92, 0.99},
