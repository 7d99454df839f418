# Counts the patients of each diagnosis, and averages their age, over all stations so far.

invisible(Sys.setlocale("LC_CTYPE", "C.UTF-8"))  # R cannot write umlauts in another locale

data <- Sys.getenv("TRAIN_DATA_PATH")
result <- file.path(Sys.getenv("PHT_RESULTS_DIR"), "ages.csv")

here <- read.csv(data)
rows <- data.frame(diagnosis = here$diagnosis, patients = 1, years = here$age)

if (file.exists(result)) {  # a station before this one has written it
  before <- read.csv(result)
  rows <- rbind(before[c("diagnosis", "patients", "years")], rows)
}

sums <- aggregate(cbind(patients, years) ~ diagnosis, data = rows, FUN = sum)
sums$mean_age <- round(sums$years / sums$patients, 1)
write.csv(sums, result, row.names = FALSE, quote = FALSE)
