package devices

// States of the vocabulary. The lift words and codes are those of GB/T
// 24476-2017 as far as implementations agree on them (01 to 07, 40 to 47 and
// 90); 08 to 11 and 91 to 93 differ between provinces and makers, so a profile
// maps what its devices send to these words.

var carStatusWords = []Word{
	{0, "stopped", Label{"Stopped", "停止"}},
	{1, "running", Label{"Running", "运行"}},
}

var directionWords = []Word{
	{0, "none", Label{"None", "无方向"}},
	{1, "up", Label{"Up", "上行"}},
	{2, "down", Label{"Down", "下行"}},
}

var serviceModeWords = []Word{
	{0, "out_of_service", Label{"Out of service", "停止服务"}},
	{1, "normal", Label{"Normal", "正常运行"}},
	{2, "inspection", Label{"Inspection", "检修"}},
	{3, "fire_return", Label{"Fire return", "消防返回"}},
	{4, "firefighter", Label{"Firefighter service", "消防员运行"}},
	{5, "emergency_power", Label{"Emergency power", "应急电源运行"}},
	{6, "earthquake", Label{"Earthquake", "地震模式"}},
	{7, "unknown", Label{"Unknown", "未知"}},
}

var liftFaultWords = []Word{
	{0, "none", Label{"No fault", "无故障"}},
	{1, "safety_chain_open", Label{"Safety circuit open while running", "运行时安全回路断路"}},
	{2, "door_close_fault", Label{"Door does not close", "关门故障"}},
	{3, "door_open_fault", Label{"Door does not open", "开门故障"}},
	{4, "stopped_outside_zone", Label{"Car stopped outside the unlocking zone", "轿厢在开锁区域外停止"}},
	{5, "unintended_movement", Label{"Unintended car movement", "轿厢意外移动"}},
	{6, "run_time_limiter", Label{"Motor run-time limiter", "电动机运转时间限制器动作"}},
	{7, "position_lost", Label{"Floor position lost", "楼层位置丢失"}},
	{8, "prevents_rerun", Label{"Fault that prevents running again", "防止电梯再运行故障"}},
	{9, "overtravel_top", Label{"Over-travel at the top", "冲顶"}},
	{10, "overtravel_pit", Label{"Over-travel into the pit", "蹲底"}},
	{11, "entrapment", Label{"Entrapment", "困人"}},
	{40, "back_to_automatic", Label{"Back to automatic", "恢复自动运行"}},
	{41, "mains_off", Label{"Mains off", "主电源断电"}},
	{42, "out_of_service", Label{"Out of service", "停止服务"}},
	{43, "inspection", Label{"Inspection", "检修"}},
	{44, "fire_return", Label{"Fire return", "消防返回"}},
	{45, "firefighter", Label{"Firefighter service", "消防员运行"}},
	{46, "emergency_power", Label{"Emergency power", "应急电源运行"}},
	{47, "earthquake", Label{"Earthquake", "地震模式"}},
	{90, "alarm_button", Label{"Alarm button", "报警按钮"}},
	{91, "pit_alarm", Label{"Over-travel into the pit (alarm)", "蹲底报警"}},
	{92, "top_alarm", Label{"Over-travel at the top (alarm)", "冲顶报警"}},
	{93, "entrapped_at_floor", Label{"Entrapped at a floor", "平层困人"}},
}

var escalatorFaultWords = []Word{
	{0, "none", Label{"No fault", "无故障"}},
	{61, "safety_circuit", Label{"Safety circuit", "安全回路断路"}},
	{62, "overspeed", Label{"Overspeed", "超速"}},
	{63, "unintended_reversal", Label{"Unintended reversal", "非操纵逆转"}},
	{64, "missing_step", Label{"Missing step or pallet", "梯级或踏板缺失"}},
	{65, "restart_prevented", Label{"Restart prevented", "防止再启动故障"}},
}

var gateCommandWords = []Word{
	{0, "close", Label{"Close", "关闸"}},
	{1, "open", Label{"Open", "开闸"}},
	{2, "stop", Label{"Stop", "停止"}},
}

var gateModeWords = []Word{
	{0, "auto", Label{"Automatic", "自动"}},
	{1, "manual", Label{"Manual", "手动"}},
	{2, "free", Label{"Free passage", "常开"}},
}

var lockWords = []Word{
	{0, "unlocked", Label{"Unlocked", "开锁"}},
	{1, "locked", Label{"Locked", "上锁"}},
	{2, "unlocking", Label{"Unlocking", "正在开锁"}},
	{3, "locking", Label{"Locking", "正在上锁"}},
	{4, "blocked", Label{"Motor blocked", "电机堵转"}},
	{5, "unknown", Label{"Unknown", "未知"}},
}
