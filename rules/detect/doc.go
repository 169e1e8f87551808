// Package detect finds in streams of readings what no threshold finds: values and times
// in, a verdict with a score and a reason out, in one pass, without look-ahead, in bounded
// memory, with one configuration for every kind of signal. It is a leaf: it knows numbers
// and times, not devices, assets or orders, and it never reads a clock.
//
// # What there is
//
//   - [Signal] watches one point.
//   - [Joint] watches several points of one asset together.
//   - [Change] tells when one or more points step to another level.
//   - [Budget] decides which verdicts are worth an order, given how many false orders a
//     month may cost.
//
// All of them answer "not known" until they have seen enough, learn nothing while Hold says
// that an episode is open (a [Change] keeps no history that a fault could spoil), and save
// and restore their state so that they go on bit for bit.
//
// # How a signal is judged
//
// Seven statistics look at a signal in different ways, each a distance from what is usual
// ([Tuning].Weights has them in this order):
//
//	0  mean of the last 10 values against the usual day, unseen hours against the mean of all
//	1  the same, only at hours that an earlier day has shown
//	2  the same against the usual week
//	3  the value against the mean of all history
//	4  mean of the last 100 against the history of that mean
//	5  log of the spread of the last 30 against the history of that log: bursts and flat lines
//	6  mean distance of the last 20 from the usual day
//
// Each becomes a surprise, -log10 of the share of its own history that was as large:
// counted below the 95 % point u, and above it log10(n/above) + (r-u)/(m ln 10) with the mean
// excess m over u, an exponential tail. The weighted surprises are added. An alarm needs the
// sum to reach 11 plus h; each alarm raises h by 1.3, h sinks with a time constant of 16
// spans, and 0.2 spans of silence follow each alarm, a span being a fifth of the history
// seen so far, within 170 and 1000 rows. The idea of summed surprises and of a threshold
// that rises with each alarm is older than this package; what is counted as history, and
// that nothing here needs the length of the series, is not.
//
// An episode (Verdict.Anomalous) is the stretch around an alarm and knows no rest; the score
// belongs to the alarm and is 0 while the detector rests.
//
// # How points are judged together
//
// The first 400 rows (Config.Train) teach, per channel, how far a mean of 10 rows usually is
// from a slow baseline, and whether the channel can be trusted: the von Neumann ratio (mean
// squared step over twice the variance) is near 1 for noise and near 0 for a signal that
// wanders while all is well; what wanders is discounted, and the reason says so. The score is
// that of the channel that is furthest away in its own units.
//
// # What was reached
//
// Measured by package bench on the public files (37 of 58 of the Numenta benchmark, 17 of 34
// runs of the pump bench), with the published results beside it in its tables:
//
//	Numenta, standard / low FP / low FN                   75.7 / 71.2 / 79.8
//	Numenta, tuned on one random half, tested on the other, mean of eight     75.0 (69.9 to 81.9)
//	pump bench, outliers: F1, false alarm rate             0.855, 4.6 %
//	  first 50, 100, 150 rows of each run dropped          0.852, 0.854, 0.849
//	pump bench, run without a fault: share of rows         11 %, 2 episodes in 2.8 hours
//	pump bench, change points, low FP                      63.1 with 28 false, of 63 points
//	a signal                                               0.7 µs per row, 2014 bytes, 1569 in a checkpoint
//	a channel of a joint detector                          223 bytes, 181 in a checkpoint
//
// Wanted and not reached: low FN 80 (79.8); F1 0.87 on the pump bench; 65 on its change points.
//
// # What was tried
//
// For a signal, on the public files, in the order tried; "mean" is (2 standard + low FP +
// low FN)/4 averaged over neighbouring thresholds, "halves" the standard score of unseen
// halves when only the threshold was chosen on the other half:
//
//	idea                                                              gave or cost
//	five statistics (0, 3, 4, 5 doubled, 6), as a start                71.8 / 66.5 / 76.0, halves 68.3
//	  the same with the rest as a share of the file's length           cannot be: a stream has no end
//	statistic 1: distance from the day only where the day is known     75.4 / 68.8 / 80.1, halves 70.1
//	  instead of statistic 0 rather than beside it                     74.3 / 67.8 / 78.8, halves 66.8
//	statistic 2: the week                                              76.0 / 70.4 / 80.5, halves 72.2
//	spans from the history so far instead of the file's length         no loss (76.0 / 70.3 / 80.4)
//	slower sinking of the threshold, 8 to 16 spans                     +0.5 standard, +1 low FP
//	a larger rise, 0.65 to 0.9 per 7.5                                 +0.6 standard, +1.2 low FP
//	no rise at all                                                     -3.9 standard, -7.3 low FP
//	a rise in proportion to the alarm's excess, 0.2                    -3.3 standard
//	largest surprise of one statistic 4 instead of 20                  -0.9 standard
//	nearest of 64 learnt shapes of 16 values, alone                    70.8 standard: the best single stream of that size
//	  added to the seven                                               halves 73.7 as without
//	distance to the 3 nearest of 1000 past shapes, alone               72.9 standard
//	  added to the seven                                               halves 74.9, from 73.7; not worth its 96 KB
//	residual of an autoregression of order 8, alone / added            49.1 to 58.5 / halves 65.7 to 72.4
//	mean of the last 30, of 300, largest and smallest of 20, first
//	differences, roughness, runs of equal values, rate of spikes,
//	each added with weight 1 or 2                                      halves 67.1 to 74.2, from 73.7
//	distance in units of the hour's own scatter, instead of plain      +0.1 standard; left out
//	mixture of mean, day and week by past error                        no better than the day
//	each statistic left out or with half or double weight              mean 69.4 to 75.8, from 75.2: a plateau
//	40 buckets of a quarter octave instead of 96 of an eighth          +0.3 standard, -1.7 low FP
//	zero among the logarithmic buckets instead of apart                -15 standard: a flat signal ruins its scale
//	288, 144 or 72 instead of 96 slots a day, 84 instead of 168 a week  within 0.3
//	lone values clipped at 16 spreads before they are learnt           +0.1, and no blindness after a glitch
//
// For points together, on the public runs (F1, false alarm rate, and F1 with 150 rows dropped):
//
//	idea                                                              gave or cost
//	baseline over 50 rows, off after 20 rows below the threshold       0.829, 18.0 %, 0.835
//	off when the channel is back by a share of its peak, and what
//	remains is the new baseline; baseline over 200 rows                0.835, 8.1 %, 0.845
//	numbers chosen by search on half of the runs                       0.70 to 0.81 on the other half (less a
//	                                                                   penalty for false alarms); untouched,
//	                                                                   the design had 0.79 to 0.86 there
//	a second window of 25 to 60 rows for small steps                   -0.00 to -0.09, more false alarms
//	waiting for the return to settle                                   -0.00 to -0.01
//	longer baselines, 300 to 2000 rows                                 -0.00 to -0.01
//	only channels that carried the beginning must return               0.845, 5.4 %, 0.855
//	baseline learns less the odder a row; scale not below noise        0.851, 6.1 %, 0.880
//	trust relative to the steadiest channel, at least 0.15             no change here; smooth assets are not blind
//	scale follows with 2000 rows, long episodes become normal          0.855, 4.6 %, 0.849; and 11 % instead of
//	                                                                   89 % of the run without a fault
//
// For change points (low FP score, false ones): 12 rows against the 60 before gave 61.3 and
// 27; 14 rows and a lower bar 63.1 and 31; scale not below noise 63.0 and 28. Telling a step
// only once until it has left the windows costs 24 points: the labels mark the end of a
// change as well, and the second telling finds it.
package detect
