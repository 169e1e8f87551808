package bench

// published is a row of a public leaderboard.
type published struct {
	name string
	v    [5]float64
}

// nabPublic are results on the 37 public files, scored with the same scorer: standard, low FP, low FN.
var nabPublic = []published{
	{"ARTime", [5]float64{74.0, 64.3, 79.6}},
	{"Numenta HTM", [5]float64{70.7, 64.3, 75.4}},
	{"CAD OSE", [5]float64{69.0, 65.2, 72.7}},
	{"KNN CAD", [5]float64{60.1, 44.2, 67.9}},
}

// nabAll are results on all 58 files.
var nabAll = []published{
	{"ARTime", [5]float64{74.9, 65.1, 80.4}},
	{"Numenta HTM (NuPIC)", [5]float64{70.5, 62.6, 75.2}},
	{"CAD OSE", [5]float64{69.9, 67.0, 73.2}},
	{"earthgecko Skyline", [5]float64{58.2, 46.2, 63.9}},
	{"KNN CAD", [5]float64{58.0, 43.4, 64.8}},
	{"Relative Entropy", [5]float64{54.6, 47.6, 58.8}},
	{"Random Cut Forest", [5]float64{51.7, 38.4, 59.7}},
	{"Twitter ADVec", [5]float64{47.1, 33.6, 53.5}},
	{"Windowed Gaussian", [5]float64{39.6, 20.9, 47.4}},
	{"Etsy Skyline", [5]float64{35.7, 27.1, 44.5}},
	{"Bayesian Changepoint", [5]float64{17.7, 3.2, 32.2}},
	{"EXPoSE", [5]float64{16.4, 3.2, 26.9}},
	{"Random", [5]float64{11.0, 1.2, 19.5}},
}

// skabOutliers are results on all 34 runs: F1, FAR %, MAR %.
var skabOutliers = []published{
	{"Conv-AE", [5]float64{0.78, 13.55, 28.02}},
	{"MSET", [5]float64{0.78, 39.73, 14.13}},
	{"T²+Q (PCA)", [5]float64{0.76, 26.62, 24.92}},
	{"LSTM-AE", [5]float64{0.74, 29.96, 25.92}},
	{"T²", [5]float64{0.66, 19.21, 42.60}},
	{"LSTM-VAE", [5]float64{0.56, 9.13, 55.03}},
	{"Vanilla LSTM", [5]float64{0.54, 12.54, 59.53}},
	{"Vanilla AE", [5]float64{0.39, 2.59, 75.15}},
	{"MSCRED", [5]float64{0.36, 49.94, 69.88}},
	{"Isolation forest", [5]float64{0.29, 2.56, 82.89}},
}

// skabChanges are results on all 34 runs: standard, low FP, low FN, missed of 125, false.
var skabChanges = []published{
	{"MSCRED", [5]float64{32.42, 16.53, 40.28, 55, 342}},
	{"Isolation forest", [5]float64{26.16, 19.50, 30.82, 76, 135}},
	{"T²+Q (PCA)", [5]float64{25.35, 14.51, 31.33, 72, 232}},
	{"Conv-AE", [5]float64{23.61, 21.54, 27.55, 82, 23}},
	{"LSTM-AE", [5]float64{23.51, 20.11, 25.91, 88, 69}},
	{"T²", [5]float64{19.54, 10.20, 24.31, 70, 106}},
	{"MSET", [5]float64{13.84, 10.22, 17.37, 96, 66}},
	{"Vanilla AE", [5]float64{11.41, 6.53, 13.91, 103, 106}},
	{"Vanilla LSTM", [5]float64{11.31, -3.80, 17.25, 90, 342}},
	{"ArimaFD", [5]float64{-0.09, -0.17, -0.06, 127, 2}},
}
