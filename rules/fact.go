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
	{Name: "vibration_limit", Unit: "mm/s", Label: devices.Label{EN: "Vibration limit B/C for the machine's group and mount", ZH: "振动限值 B/C（按机组类别与支承）"}},
	{Name: "vibration_trip", Unit: "mm/s", Label: devices.Label{EN: "Vibration limit C/D for the machine's group and mount", ZH: "振动限值 C/D（按机组类别与支承）"}},
	{Name: "min_suction_pressure", Unit: "bar", Label: devices.Label{EN: "Least suction pressure", ZH: "最低吸入压力"}},
	{Name: "max_starts_per_hour", Label: devices.Label{EN: "Most starts per hour by the maker", ZH: "厂家允许每小时启动次数"}},
	{Name: "specific_energy", Label: devices.Label{EN: "kWh per cubic metre at commissioning", ZH: "调试时单位水量电耗（kWh/m³）"}},
	{Name: "boom_length", Unit: "m", Label: devices.Label{EN: "Length of the boom", ZH: "栏杆长度"}},
	{Name: "rated_motion_time", Unit: "s", Label: devices.Label{EN: "Rated opening time", ZH: "额定开启时间"}},
	{Name: "service_cycles", Label: devices.Label{EN: "Cycles between services by the maker", ZH: "厂家规定保养间隔次数"}},
	{Name: "q3", Unit: "m3/h", Label: devices.Label{EN: "Permanent flow Q3 of the meter", ZH: "常用流量 Q3"}},
	{Name: "qp", Unit: "m3/h", Label: devices.Label{EN: "Nominal flow qp of the heat meter", ZH: "热表公称流量 qp"}},
	{Name: "residents", Label: devices.Label{EN: "Residents behind the meter", ZH: "表后居住人数"}},
	{Name: "lock_voltage", Unit: "V", Label: devices.Label{EN: "Nominal voltage of the lock supply", ZH: "锁电源额定电压"}},
	{Name: "high_level", Unit: "m", Label: devices.Label{EN: "High level of the sump or tank", ZH: "集水坑或水箱高液位"}},
	{Name: "low_level", Unit: "m", Label: devices.Label{EN: "Low level of the tank", ZH: "水箱低液位"}},
	{Name: "floors", Label: devices.Label{EN: "Floors served", ZH: "服务楼层数"}},
	{Name: "kind", Word: true, Values: []string{"barrier", "door", "fire_door", "turnstile"}, Label: devices.Label{EN: "Kind of gate", ZH: "闸门类型"}},
	{Name: "water_use", Word: true, Values: []string{"drinking", "hot", "cold", "heating", "fire", "waste"}, Label: devices.Label{EN: "What the water is for", ZH: "用水类型"}},
	{Name: "meter_scope", Word: true, Values: []string{"unit", "branch", "building"}, Label: devices.Label{EN: "What the meter measures", ZH: "计量范围"}},
	{Name: "machine_room", Word: true, Values: []string{"present", "absent"}, Label: devices.Label{EN: "Machine room", ZH: "机房"}},
	{Name: "duty", Word: true, Values: []string{"supply", "fire", "sump", "circulation", "sewage"}, Label: devices.Label{EN: "What the pump is for", ZH: "水泵用途"}},
	{Name: "grid", Word: true, Values: []string{"cn", "eu"}, Label: devices.Label{EN: "Which grid standard applies", ZH: "适用电网标准"}},
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
