package rules

import "github.com/facilityd/facilityd/devices"

// A FactSpec is one thing that only people can know about an asset. A rule that
// needs a fact stays off until it is given; a default would be a guess.
type FactSpec struct {
	Name  string
	Unit  string // canonical unit of the number
	Word  bool   // the fact is a word, not a number
	Label devices.Label
	// Values are the words that a word fact may be.
	Values []string
}

// FactSpecs is the closed list of facts that rules may ask for.
var FactSpecs = []FactSpec{
	{Name: "rated_current", Unit: "A", Label: devices.Label{EN: "Rated current", ZH: "额定电流"}},
	{Name: "rated_power", Unit: "kW", Label: devices.Label{EN: "Rated power", ZH: "额定功率"}},
	{Name: "rated_flow", Unit: "m3/h", Label: devices.Label{EN: "Rated flow", ZH: "额定流量"}},
	{Name: "rated_demand", Unit: "kW", Label: devices.Label{EN: "Rated load of the feeder", ZH: "回路额定负荷"}},
	{Name: "vibration_warn", Unit: "mm/s", Label: devices.Label{EN: "Vibration limit B/C for the machine's group and mount", ZH: "振动限值 B/C(按机组类别与支承)"}},
	{Name: "vibration_trip", Unit: "mm/s", Label: devices.Label{EN: "Vibration limit C/D for the machine's group and mount", ZH: "振动限值 C/D(按机组类别与支承)"}},
	{Name: "min_suction_pressure", Unit: "bar", Label: devices.Label{EN: "Least suction pressure", ZH: "最低吸入压力"}},
	{Name: "max_starts_per_hour", Label: devices.Label{EN: "Most starts per hour by the maker", ZH: "厂家允许每小时启动次数"}},
	{Name: "boom_open_time", Unit: "s", Label: devices.Label{EN: "Rated opening time of the boom", ZH: "道闸额定起杆时间"}},
	{Name: "motion_time_commissioned", Unit: "s", Label: devices.Label{EN: "Motion time at commissioning", ZH: "调试时动作时间"}},
	{Name: "service_cycles", Label: devices.Label{EN: "Cycles between services by the maker", ZH: "厂家规定保养间隔次数"}},
	{Name: "service_days", Label: devices.Label{EN: "Days between services", ZH: "保养间隔天数"}},
	{Name: "meter_q3", Unit: "m3/h", Label: devices.Label{EN: "Permanent flow Q3 of the meter", ZH: "常用流量 Q3"}},
	{Name: "meter_qp", Unit: "m3/h", Label: devices.Label{EN: "Nominal flow qp of the heat meter", ZH: "热表公称流量 qp"}},
	{Name: "residents", Label: devices.Label{EN: "Residents behind the meter", ZH: "表后居住人数"}},
	{Name: "nominal_voltage", Unit: "V", Label: devices.Label{EN: "Nominal voltage between phase and neutral", ZH: "额定相电压"}},
	{Name: "voltage_low", Unit: "V", Label: devices.Label{EN: "Least permitted voltage", ZH: "电压下限"}},
	{Name: "voltage_high", Unit: "V", Label: devices.Label{EN: "Greatest permitted voltage", ZH: "电压上限"}},
	{Name: "lock_voltage", Unit: "V", Label: devices.Label{EN: "Nominal voltage of the lock supply", ZH: "锁电源额定电压"}},
	{Name: "sump_high_level", Unit: "m", Label: devices.Label{EN: "High level of the sump", ZH: "集水坑高液位"}},
	{Name: "tank_low_level", Unit: "m", Label: devices.Label{EN: "Low level of the tank", ZH: "水箱低液位"}},
	{Name: "max_demand", Unit: "kW", Label: devices.Label{EN: "Agreed demand", ZH: "合同需量"}},
	{Name: "water_use", Word: true, Values: []string{"drinking", "domestic_hot", "heating", "fire", "waste"}, Label: devices.Label{EN: "What the water is for", ZH: "用水类型"}},
	{Name: "meter_scope", Word: true, Values: []string{"unit", "branch", "building"}, Label: devices.Label{EN: "What the meter measures", ZH: "计量范围"}},
	{Name: "door_kind", Word: true, Values: []string{"normal", "fire"}, Label: devices.Label{EN: "Kind of door", ZH: "门类型"}},
	{Name: "machine_room", Word: true, Values: []string{"present", "absent"}, Label: devices.Label{EN: "Machine room", ZH: "机房"}},
	{Name: "duty", Word: true, Values: []string{"fire", "supply", "sump", "circulation", "sewage"}, Label: devices.Label{EN: "What the pump is for", ZH: "水泵用途"}},
	{Name: "region", Word: true, Values: []string{"cn", "eu"}, Label: devices.Label{EN: "Which grid standard applies", ZH: "适用电网标准"}},
}

func factByName(name string) *FactSpec {
	for i := range FactSpecs {
		if FactSpecs[i].Name == name {
			return &FactSpecs[i]
		}
	}
	return nil
}

var factNames = func() []string {
	names := make([]string, len(FactSpecs))
	for i, f := range FactSpecs {
		names[i] = f.Name
	}
	return names
}()
