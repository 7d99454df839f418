# Umlaute in Namen von Dateien und Spalten, im Programm und in den Daten.
größen <- read.csv("/opt/train_data/Körpergrößen.csv", check.names = FALSE)
größte <- größen[which.max(größen$`Größe (cm)`), ]
stopifnot(nchar(größte$Straße) == 9)
ergebnis <- file("/opt/pht_results/größte.txt", open = "a", encoding = "UTF-8")
writeLines(paste(toupper(größte$Name), größte$Straße, größte$`Größe (cm)`), ergebnis)
close(ergebnis)
