package profile

import "github.com/facilityd/facilityd/configs/diag"

func (s *Set) runTests(p *Profile, list *diag.List) {}
