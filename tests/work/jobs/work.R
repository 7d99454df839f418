# Ordinary work of trains in R: each function is one job.
library(parallel)

results <- Sys.getenv("PHT_RESULTS_DIR")
square <- function(number) number^2

jobs <- list(
    fork = function() {
        stopifnot(identical(unlist(mclapply(1:4, square, mc.cores = 2)), (1:4)^2))
    },
    cluster = function() {
        workers <- makePSOCKcluster(2)
        on.exit(stopCluster(workers))
        stopifnot(identical(unlist(parLapply(workers, 1:4, square)), (1:4)^2))
    },
    plot_without_a_device = function() {
        plot(1:10)
        dev.off()
        stopifnot(file.size("Rplots.pdf") > 1000)
    },
    plot_as_pdf = function() {
        pdf(file.path(results, "plot.pdf"))
        hist(c(1, 2, 2, 3))
        dev.off()
        stopifnot(file.size(file.path(results, "plot.pdf")) > 1000)
    },
    plot_as_png = function() {
        png(file.path(results, "plot.png"), type = "cairo")
        plot(1:10)
        dev.off()
        stopifnot(file.size(file.path(results, "plot.png")) > 100)
    },
    results_by_relative_paths = function() {
        saveRDS(list(mean = 1.5), "opt/pht_results/model.rds")
        stopifnot(readRDS(file.path(results, "model.rds"))$mean == 1.5)
    },
    temporary_files = function() {
        file <- tempfile()
        writeLines("x", file)
        stopifnot(startsWith(file, Sys.getenv("TMPDIR")), readLines(file) == "x")
    },
    home = function() {
        dir.create("~/.cache/library", recursive = TRUE)
        stopifnot(startsWith(path.expand("~"), Sys.getenv("HOME")))
    },
    other_programs = function() {
        stopifnot(system2("sh", c("-c", shQuote("echo text")), stdout = TRUE) == "text")
        stopifnot(system("exit 3") == 3)
    },
    streams_by_name = function() {
        cat("text\n", file = "/dev/stdout")
        cat("text\n", file = "/dev/stderr")
    },
    library_loaded_from_tmpdir = function() {
        library <- getLoadedDLLs()[["stats"]][["path"]]
        copy <- file.path(tempdir(), "copy.so")
        stopifnot(file.copy(library, copy))
        dyn.load(copy)
    },
    packages_of_its_own = function() {
        dir.create(own <- file.path(tempdir(), "packages"))
        stopifnot(file.copy(system.file(package = "tools"), own, recursive = TRUE))
        library(tools, lib.loc = own)
    }
)

for (name in names(jobs)) {
    problem <- tryCatch({
        jobs[[name]]()
        ""
    }, error = conditionMessage)
    cat(sprintf('{"job": "%s", "problem": %s}\n', name, encodeString(problem, quote = '"')))
}
