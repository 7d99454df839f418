# Plots without a device: R writes Rplots.pdf in the folder in which it was started.
patients <- read.csv("/opt/train_data/patients.csv")
hist(patients$age)
result <- "/opt/pht_results/median.txt"
cat(median(patients$age), "\n", file = result, append = TRUE, sep = "")
