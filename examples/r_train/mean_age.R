# The mean age over all stations: each adds its own patients to two sums.
ages <- read.csv(Sys.getenv("TRAIN_DATA_PATH"))$age

sums <- file.path(Sys.getenv("PHT_RESULTS_DIR"), "sums.csv")
before <- if (file.exists(sums)) read.csv(sums) else data.frame(patients = 0, years = 0)
after <- data.frame(patients = before$patients + length(ages), years = before$years + sum(ages))
write.csv(after, sums, row.names = FALSE)
