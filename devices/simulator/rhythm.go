package simulator

import (
	"math"
	"time"
)

// day is a quantity over the hours of a day, interpolated linearly between the
// hours; its mean is about 1 unless said otherwise.
type day [24]float64

func (d *day) at(hour float64) float64 {
	i := int(hour) % 24
	f := hour - math.Floor(hour)
	return d[i]*(1-f) + d[(i+1)%24]*f
}

// The rhythm of a residential estate in northern China: breakfast and the way
// to work and school from half past six, lunch at noon with many old people and
// small children at home, dinner from half past five, late showers until eleven.
// Shapes are judgement; what is known of the night is in DOMAIN.md, S12.
var (
	waterWeekday = day{.18, .10, .08, .08, .12, .45, 1.5, 2.2, 1.5, 1.0, .9, 1.0, 1.3, .8, .6, .6, .8, 1.3, 1.8, 1.9, 2.0, 1.9, 1.3, .55}
	waterWeekend = day{.25, .12, .08, .08, .10, .25, .7, 1.4, 1.9, 1.9, 1.6, 1.5, 1.6, 1.1, .9, .9, 1.1, 1.4, 1.8, 1.8, 1.8, 1.7, 1.3, .70}
	gasDay       = day{.05, .03, .03, .03, .10, .6, 1.9, 1.6, .6, .4, .9, 2.6, 1.9, .5, .3, .4, .9, 2.9, 3.2, 2.0, 1.1, .7, .4, .15}
	// The share of trips towards the ground, the rest goes up.
	downShare = day{.4, .4, .4, .4, .5, .7, .85, .88, .75, .6, .55, .45, .4, .6, .55, .5, .45, .3, .25, .4, .4, .3, .25, .3}
	tripsWork = day{.15, .06, .04, .04, .10, .5, 1.7, 2.5, 1.8, 1.1, 1.0, 1.2, 1.2, .9, .8, .9, 1.2, 1.9, 2.3, 1.7, 1.4, 1.1, .7, .35}
	tripsFree = day{.25, .12, .06, .05, .08, .25, .7, 1.2, 1.5, 1.7, 1.7, 1.5, 1.3, 1.2, 1.2, 1.3, 1.4, 1.5, 1.6, 1.5, 1.4, 1.2, .8, .45}
	carsOut   = day{.08, .05, .04, .05, .2, .7, 2.4, 4.2, 2.6, 1.2, 1.0, .9, .9, 1.1, .9, .8, .9, 1.1, 1.2, 1.0, .8, .5, .3, .15}
	carsIn    = day{.3, .15, .08, .05, .06, .2, .5, .7, .7, .8, .9, 1.1, 1.0, .7, .7, .9, 1.3, 2.6, 3.4, 2.6, 1.8, 1.5, 1.2, .7}
	// Kitchens of the clubhouse cook for lunch and dinner only.
	kitchenDay = day{0, 0, 0, 0, 0, 0, .3, .5, .2, .6, 2.0, 4.0, 3.0, .6, .2, .4, 2.0, 4.2, 3.6, 1.6, .4, 0, 0, 0}
	// Lighting of stairs, garage and paths.
	lightDay = day{1.5, 1.2, 1.1, 1.1, 1.2, 1.4, .9, .6, .5, .5, .5, .5, .5, .5, .5, .5, .6, 1.1, 1.7, 1.8, 1.8, 1.8, 1.8, 1.7}
)

// hourOf returns the local hour with its fraction and whether it is a day off.
// Public holidays are not known here; a week is enough for a rhythm.
func hourOf(now int64, loc *time.Location) (hour float64, free bool, yearDay int) {
	t := time.Unix(0, now).In(loc)
	h, m, s := t.Clock()
	wd := t.Weekday()
	return float64(h) + float64(m)/60 + float64(s)/3600, wd == time.Saturday || wd == time.Sunday, t.YearDay()
}

// outdoor is the seasonal and daily course of the outdoor temperature in °C of a
// northern Chinese harbour city: about -1 in January and 27 in July.
func outdoor(yearDay int, hour float64) float64 {
	season := 13 - 14*math.Cos(2*math.Pi*float64(yearDay-20)/365)
	return season + 3.5*math.Cos(2*math.Pi*(hour-15)/24)
}
