module polyid-trainer

go 1.26
