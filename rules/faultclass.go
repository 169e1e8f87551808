package rules

// A FaultClass is what is wrong with an asset. At most one episode of a fault
// class is active on an asset at any time, however many rules speak of it.
type FaultClass struct {
	ID      string // a name such as pump.dry_run
	Ref     string // F-number of the domain notes
	Title   string // English; the message catalogue has the other languages
	TitleZH string
	// ByHand classes are cleared by a competent person only: people were in
	// danger, and only a look can tell that they no longer are.
	ByHand bool
}

// FaultClasses is the closed list.
var FaultClasses = []FaultClass{
	{"lift.entrapment", "F01", "Person trapped in the lift", "电梯困人", true},
	{"lift.safety_chain", "F02", "Lift safety chain open", "电梯安全回路断开", false},
	{"lift.unintended_movement", "F03", "Unintended car movement or over-travel", "轿厢意外移动或越程", true},
	{"lift.door", "F04", "Lift door system", "电梯门系统故障", false},
	{"lift.levelling", "F05", "Levelling or position fault", "平层或位置故障", false},
	{"lift.drive", "F06", "Drive, brake or run-time fault", "驱动、制动或运行时间故障", false},
	{"lift.power_environment", "F07", "Lift power or machine-room environment", "电梯电源或机房环境", false},
	{"lift.emergency_call", "F08", "Emergency call system", "紧急呼叫系统故障", false},
	{"escalator.safety", "F09", "Escalator safety", "自动扶梯安全故障", true},
	{"barrier.mechanism", "F10", "Barrier mechanism", "道闸机构故障", false},
	{"door.held_forced", "F11", "Door held open or forced", "门长开或强行开启", false},
	{"access.power", "F12", "Access controller or lock power", "门禁控制器或锁电源故障", false},
	{"access.recognition", "F13", "Plate reader, intercom or camera", "车牌识别、对讲或摄像机故障", false},
	{"pump.bearing", "F14", "Pump vibration or bearing", "水泵振动或轴承异常", false},
	{"pump.dry_run", "F15", "Pump runs dry or delivers nothing", "水泵干转或无流量", false},
	{"motor.overload", "F16", "Motor overload or phase fault", "电机过载或缺相", false},
	{"water.supply_pressure", "F17", "Supply pressure", "供水压力异常", false},
	{"water.level", "F18", "Level, flood or sump", "液位、积水或集水坑异常", false},
	{"water.quality", "F19", "Water quality or temperature", "水质或水温异常", false},
	{"power.quality", "F20", "Power quality or phase loss", "电能质量或缺相", false},
	{"power.fire_precursor", "F21", "Electrical fire precursor", "电气火灾隐患", false},
	{"power.overload", "F22", "Overload, transformer or UPS", "过载、变压器或UPS异常", false},
	{"energy.anomaly", "F23", "Unusual energy use or power factor", "能耗或功率因数异常", false},
	{"water.leak", "F24", "Water leak, burst or reverse flow", "漏水、爆管或倒流", false},
	{"gas.leak", "F25", "Gas leak", "燃气泄漏", true},
	{"gas.meter_safety", "F26", "Gas meter safety alarm", "燃气表安全报警", false},
	{"heat.metering", "F27", "Heat metering or temperature difference", "热计量或温差异常", false},
	{"fire.system", "F28", "Fire system", "消防系统故障", true},
	{"air.ventilation", "F29", "Ventilation, CO or indoor air", "通风、一氧化碳或室内空气异常", false},
	{"hvac.performance", "F30", "HVAC performance", "暖通性能下降", false},
	{"lighting.parking", "F31", "Lighting or parking", "照明或停车设备故障", false},
	{"comms.quality", "F32", "Communication, gateway or sensor quality", "通信、网关或传感器异常", false},
}

// FaultClassByID finds a fault class, nil when there is none of that name.
func FaultClassByID(id string) *FaultClass {
	for i := range FaultClasses {
		if FaultClasses[i].ID == id {
			return &FaultClasses[i]
		}
	}
	return nil
}
