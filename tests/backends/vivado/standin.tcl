# A test double of Vivado, NOT Vivado: it knows the commands, the IP with its pins and properties, and the forms of the reports that
# the project's scripts use, as the documents have them; it builds nothing. Any other command, pin or property is an error, so is a
# pin that stays open or is joined twice. Every call is recorded.
#
#   standin.tcl RECORD SETTINGS SCRIPT ARGUMENTS...
#
# SETTINGS: a Tcl list of keys and values, see `set`s below.

set record [open [lindex $argv 0] a]
array set ::is {
  board_files 0  without {}  status ok  place ok  wns {0.231}  whs 0.018  wpws 2.000  lut 41000  available_lut 53200
  act 0  hwh gen  memory ok  segments named
}
array set ::is [lindex $argv 1]
set script [lindex $argv 2]
set argv [lrange $argv 3 end]
set argc [llength $argv]

# ---- what is known of the IP ------------------------------------------------------------------------------------------
array set PINS {
  processing_system7 {DDR FIXED_IO M_AXI_GP0 S_AXI_HP0 FCLK_CLK0 FCLK_RESET0_N M_AXI_GP0_ACLK S_AXI_HP0_ACLK IRQ_F2P}
  zynq_ultra_ps_e {M_AXI_HPM0_FPD S_AXI_HP0_FPD pl_clk0 pl_resetn0 maxihpm0_fpd_aclk saxihp0_fpd_aclk pl_ps_irq0}
  proc_sys_reset {slowest_sync_clk ext_reset_in interconnect_aresetn peripheral_aresetn}
  axi_dma {S_AXI_LITE M_AXI_MM2S M_AXI_S2MM M_AXIS_MM2S S_AXIS_S2MM s_axi_lite_aclk m_axi_mm2s_aclk m_axi_s2mm_aclk axi_resetn
    mm2s_introut s2mm_introut}
  axi_intc {s_axi s_axi_aclk s_axi_aresetn intr irq}
  xlconcat {In0 In1 dout}
  ilconcat {In0 In1 dout}
  system_ila {clk resetn SLOT_0_AXIS SLOT_1_AXIS}
  penni_accelerator {ap_clk ap_rst_n s_axi_control s_axis m_axis}
}
# Pins that many others may be joined to, and those that may stay open.
set SOURCES {FCLK_CLK0 pl_clk0 peripheral_aresetn interconnect_aresetn FCLK_RESET0_N pl_resetn0}
set OPEN {DDR FIXED_IO}
array set PROPERTIES {
  processing_system7 {PCW_[A-Za-z0-9_]+ preset}
  zynq_ultra_ps_e {PSU_[A-Za-z0-9_]+}
  axi_dma {c_include_sg c_sg_include_stscntrl_strm c_sg_length_width c_addr_width c_include_mm2s_dre c_m_axi_mm2s_data_width
    c_m_axis_mm2s_tdata_width c_mm2s_burst_size c_include_s2mm_dre c_m_axi_s2mm_data_width c_s2mm_burst_size}
  axi_intc C_IRQ_CONNECTION
  xlconcat NUM_PORTS
  ilconcat NUM_PORTS
  smartconnect {NUM_SI NUM_MI}
  axi_interconnect {NUM_SI NUM_MI}
  system_ila {C_NUM_MONITOR_SLOTS C_DATA_DEPTH C_SLOT_0_INTF_TYPE C_SLOT_1_INTF_TYPE}
  penni_accelerator CLOCK_HZ
}
set STRATEGIES {Flow_PerfOptimized_high Flow_AlternateRoutability Flow_AreaOptimized_high Flow_RuntimeOptimized
  Performance_ExplorePostRoutePhysOpt Performance_ExtraTimingOpt Congestion_SpreadLogic_high Area_Explore}

# ---- the double itself ------------------------------------------------------------------------------------------------
array set cell {}
array set joined {}
array set value {}
set files {}
set attempt -1
set top ""

proc stop {message} {
  puts "ERROR: \[Common 17-0\] $message"
  error $message
}

# Define a command that is recorded.
proc command {name arguments body} {
  proc $name $arguments "puts \$::record \[info level 0\]\n$body"
}

proc pins_of {name} {
  global PINS cell value
  set ip $cell($name)
  if {$ip in {smartconnect axi_interconnect}} {
    set pins [expr {$ip eq "smartconnect" ? {aclk aresetn} : {ACLK ARESETN}}]
    foreach side {S M} {
      for {set i 0} {$i < $value($name,CONFIG.NUM_${side}I)} {incr i} {
        set port [format %s%02d $side $i]
        lappend pins ${port}_AXI
        if {$ip eq "axi_interconnect"} { lappend pins ${port}_ACLK ${port}_ARESETN }
      }
    }
    return $pins
  }
  set pins $PINS($ip)
  foreach {property pin} {PCW_USE_M_AXI_GP0 M_AXI_GP0 PCW_USE_S_AXI_HP0 S_AXI_HP0 PCW_USE_FABRIC_INTERRUPT IRQ_F2P} {
    if {$ip eq "processing_system7" && [lindex [array get value $name,CONFIG.$property] 1] ne "1"} {
      set pins [lsearch -all -inline -not -glob $pins $pin*]
    }
  }
  return $pins
}

proc pin {path} {
  lassign [split [string trimleft $path /] /] name pin
  if {![info exists ::cell($name)]} { stop "no cell $name" }
  if {$pin ni [pins_of $name] && !($::cell($name) eq "penni_accelerator" && $pin in $::is(external))} {
    stop "cell $name has no pin $pin"
  }
  return $name/$pin
}

proc join_pins {pins} {
  foreach pin $pins {
    if {[lindex [split $pin /] 1] ni $::SOURCES && [info exists ::joined($pin)]} { stop "$pin is joined already" }
    set ::joined($pin) 1
  }
}

proc options {words} {
  set named {}; set rest {}
  for {set i 0} {$i < [llength $words]} {incr i} {
    set word [lindex $words $i]
    if {$word in {-force -quiet -all -top -norecurse -fixed -include_bit -hierarchical -latest_file_version -in_memory -import_files}} {
      dict set named $word 1
    } elseif {[string match -* $word]} {
      dict set named $word [lindex $words [incr i]]
    } else { lappend rest $word }
  }
  return [list $named $rest]
}

command version {args} { return 2022.2 }
command set_msg_config {args} {}
command create_project {args} {
  lassign [options $args] named rest
  if {![dict exists $named -part]} { stop "no part" }
  if {[llength $rest] > 1} { file mkdir [lindex $rest 1]; set ::project [lindex $rest 1] }
}
command close_project {} {}
command current_project {} { return project }
command current_fileset {} { return sources_1 }
command get_board_parts {args} {
  if {$::is(board_files)} { return "vendor.com:[lindex [split [lindex $args end] :] 1]:part0:1.0" }
}
command get_ipdefs {args} {
  set name [lindex [split [lindex $args end] :] 2]
  if {$name in $::is(without)} { return "" }
  return xilinx.com:ip:$name:1.0
}
command add_files {args} {
  foreach path [lindex $args end] {
    if {![file exists $path]} { stop "no file $path" }
    if {$path in $::files} { stop "$path was added already" }
    lappend ::files $path
  }
}
command read_xdc {args} { if {![file exists [lindex $args end]]} { stop "no file" } }
command get_files {names} { return $names }
command update_compile_order {args} {}
command create_bd_design {name} {}
command save_bd_design {} {}
command generate_target {args} {}
command make_wrapper {args} {
  set path [file join $::project design_1_wrapper.v]
  close [open $path w]
  return $path
}

command create_bd_cell {args} {
  lassign [options $args] named rest
  set name [lindex $rest 0]
  if {[dict get $named -type] eq "module"} {
    set module [dict get $named -reference]
    set found 0
    foreach path $::files {
      if {[file extension $path] ne ".v"} continue
      set source [open $path]
      set text [read $source]
      if {[regexp "(?n)^module $module\\y" $text]} {
        set found 1
        # Of another type it would be a string of bits, and not take a decimal number.
        if {![regexp {parameter integer CLOCK_HZ = \d+\n} $text]} { stop "CLOCK_HZ is no integer" }
      }
      close $source
    }
    if {!$found} { stop "no Verilog module $module in the sources" }
    set ::cell($name) $module
  } else {
    lassign [split [dict get $named -vlnv] :] vendor library ip
    if {$ip in $::is(without) || ![info exists ::PROPERTIES($ip)] && $ip ne "proc_sys_reset"} { stop "no IP $ip" }
    set ::cell($name) $ip
  }
  return $name
}
command get_bd_cells {names} { return $names }
command get_bd_pins {path} { return [pin $path] }
command get_bd_intf_pins {path} { return [pin $path] }
command get_bd_intf_nets {names} {
  foreach name $names { if {![info exists ::net($name)]} { stop "no net $name" } }
  return $names
}
command connect_bd_net {from to} { join_pins [list $from $to] }
command connect_bd_intf_net {args} {
  lassign [options $args] named rest
  set monitor [lsearch -inline -glob $rest */SLOT_*]
  if {[dict exists $named -intf_net]} {
    set net [dict get $named -intf_net]
    if {$monitor eq ""} { set ::net($net) $rest } elseif {[lindex $rest 0] ni $::net($net)} { stop "[lindex $rest 0] is not on $net" }
  }
  join_pins [expr {$monitor eq "" ? $rest : [list $monitor]}]
}
command make_bd_intf_pins_external {pin} { join_pins $pin }
command apply_bd_automation {args} {
  set rule [dict get [lrange $args 0 end-1] -rule]
  if {![regexp {^xilinx.com:bd_rule:(processing_system7|zynq_ultra_ps_e)$} $rule]} { stop "no rule $rule" }
}
command get_bd_addr_segs {args} {
  lassign [options $args] named rest
  if {[dict exists $named -of_objects]} { return [dict get $named -of_objects]/reg9 }
  if {$::is(segments) eq "named" && [lindex $rest 0] in {penni/s_axi_control/reg0 dma/S_AXI_LITE/Reg axi_intc/S_AXI/Reg}} {
    return [lindex $rest 0]
  }
  if {![dict exists $named -quiet]} { stop "no segment $rest" }
}
command assign_bd_address {args} {}
command validate_bd_design {} {
  foreach name [array names ::cell] {
    foreach pin [pins_of $name] {
      if {![info exists ::joined($name/$pin)] && $pin ni $::OPEN} { stop "$name/$pin is open" }
    }
  }
}

command set_property {args} {
  lassign [options $args] named rest
  if {[dict exists $named -dict]} {
    set pairs [dict get $named -dict]
    set objects [lindex $rest 0]
  } else {
    set pairs [lrange $rest 0 1]
    set objects [lindex $rest 2]
  }
  foreach object $objects {
    foreach {key to} $pairs {
      if {[info exists ::cell($object)]} {
        set known 0
        foreach pattern $::PROPERTIES($::cell($object)) { if {[regexp "^CONFIG\\.($pattern)$" $key]} { set known 1 } }
        if {!$known} { stop "$::cell($object) has no property $key" }
      } elseif {$key eq "strategy" && $to ni $::STRATEGIES} { stop "no strategy $to" }
      set ::value($object,$key) $to
    }
  }
}
command get_property {key object} {
  switch -glob $key {
    CONFIG.PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ { return [actual $::value($object,CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ)] }
    CONFIG.PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ { return [actual $::value($object,CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ)] }
    PROGRESS { return [expr {[failed $object] ? "0%" : "100%"}] }
    STATUS { return [expr {[failed $object] ? "[string range $object 0 end-2]_design ERROR" : "Complete!"}] }
    DIRECTORY { return [file join $::project runs $object] }
    STATS.WNS { return [slack] }
    STATS.WHS { return $::is(whs) }
  }
  return $::value($object,$key)
}
proc actual {mhz} { return [expr {$::is(act) ? $::is(act) : [format %.6f $mhz]}] }
proc failed {run} { return [expr {$run eq "synth_1" ? $::is(status) ne "ok" : $::is(place) ne "ok"}] }
# Of the n-th attempt, where several are given.
proc slack {} { return [lindex $::is(wns) [expr {max(0, min($::attempt, [llength $::is(wns)] - 1))}]] }

command get_runs {name} { return $name }
command launch_runs {run args} {
  set folder [file join $::project runs $run]
  file mkdir $folder
  set log [open [file join $folder runme.log] w]
  if {$run eq "synth_1" && $::is(status) ne "ok"} {
    puts $log "ERROR: \[Synth 8-439\] module 'penni_missing' not found \[/x/penni_top.sv:12\]"
    puts $log "ERROR: \[Common 17-69\] Command failed: Synthesis failed"
  }
  if {$run eq "synth_1" && $::is(memory) ne "ok"} {
    puts $log "CRITICAL WARNING: \[Synth 8-4445\] could not open \$readmem data file 'penni_i_x.mem'; ignoring \[/x/penni_rom.sv:19\]"
  }
  if {$run eq "impl_1"} {
    incr ::attempt
    if {$::is(place) eq "over"} {
      puts $log "ERROR: \[DRC UTLZ-1\] Resource utilization: Slice LUTs over-utilized in Top Level Design"
    } elseif {$::is(place) ne "ok"} {
      puts $log "ERROR: \[Route 35-368\] Router was unable to fix hold violation on a pin"
    } else {
      close [open [file join $folder design_1_wrapper.bit] w]
      set place [file join $::project penni.$::is(hwh) sources_1 bd design_1 hw_handoff]
      file mkdir $place
      close [open [file join $place design_1.hwh] w]
    }
  }
  close $log
}
command wait_on_run {run} {
  set log [open [file join $::project runs $run runme.log]]
  puts -nonewline [read $log]
  close $log
  if {[failed $run]} { stop "wait_on_run failed" }
}
command reset_run {run} {}
command open_run {run} {}
command close_design {} {}
command synth_design {args} {
  lassign [options $args] named rest
  if {$::is(status) ne "ok"} { stop "Synthesis failed" }
  set ::top [dict get $named -top]
}
foreach name {opt_design place_design phys_opt_design route_design} { command $name {} {} }
command write_checkpoint {args} { close [open [lindex $args end] w] }
command write_hw_platform {args} {
  lassign [options $args] named rest
  close [open [dict get $named -file] w]
}

# ---- reports, in Vivado's form ----------------------------------------------------------------------------------------
proc report {args text} {
  lassign [options $args] named rest
  set file [open [dict get $named -file] w]
  puts $file $text
  close $file
}
proc row {name used have} { return [format "| %-26s | %7s |     0 |          0 | %9s | %6.2f |" $name $used $have [expr {100.0 * $used / $have}]] }
command report_utilization {args} {
  set rule +----------------------------+---------+-------+------------+-----------+--------+
  set head "|          Site Type         |    Used | Fixed | Prohibited | Available |  Util% |"
  if {"-hierarchical" in $args} {
    set text "1. Utilization by Hierarchy\n\n[hierarchy]"
  } else {
    set text "1. Slice Logic\n--------------\n\n$rule\n$head\n$rule\n[row {Slice LUTs*} $::is(lut) $::is(available_lut)]
|   LUT as Logic             |   39000 |     0 |          0 |     53200 |  73.31 |
|     LUT as Distributed RAM |    1200 |     0 |            |           |        |
[row {Slice Registers} 50000 106400]\n$rule\n* Warning! The Final LUT count may be lower.\n
2. Memory\n---------\n\n$rule\n$head\n$rule\n[row {Block RAM Tile} 96.5 140]\n[row {  RAMB36/FIFO*} 90 140]\n$rule\n
3. DSP\n------\n\n$rule\n$head\n$rule\n[row DSPs 194 220]\n$rule"
  }
  report $args $text
}
proc hierarchy {} {
  set rule "+------------------------------+------------+------------+------------+---------+------+-------+--------+--------+------------+"
  set lines [list $rule "|           Instance           |   Module   | Total LUTs | Logic LUTs | LUTRAMs | SRLs |   FFs | RAMB36 | RAMB18 | DSP Blocks |" $rule]
  foreach {depth name lut ff b36 b18 dsp} {
    0 design_1_wrapper 41000 50000 90 13 194  1 design_1_i 40990 49990 90 13 194  2 penni 39000 47000 88 13 194
    3 inst 39000 47000 88 13 194  4 u_top 38000 46000 88 13 194  5 u_conv1_basis 1500 1200 1 1 0  2 dma 1500 2000 2 0 0
  } {
    lappend lines [format "| %-28s | %10s | %10s | %10s | %7s | %4s | %5s | %6s | %6s | %10s |" \
      "[string repeat {  } $depth]$name" module $lut $lut 0 0 $ff $b36 $b18 $dsp]
  }
  return [join [concat $lines [list $rule]] "\n"]
}
command report_timing_summary {args} {
  set wns [slack]
  set state [expr {$wns < 0 ? "VIOLATED" : "MET"}]
  set hold [expr {$::is(whs) < 0 ? "VIOLATED" : "MET"}]
  report $args "| Design Timing Summary
| ---------------------

    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)      THS(ns)  THS Failing Endpoints  THS Total Endpoints     WPWS(ns)     TPWS(ns)  TPWS Failing Endpoints  TPWS Total Endpoints
    -------      -------  ---------------------  -------------------      -------      -------  ---------------------  -------------------     --------     --------  ----------------------  --------------------
      $wns        0.000                    [expr {$wns < 0 ? 57 : 0}]                98000        $::is(whs)        0.000                      0                98000        $::is(wpws)        0.000                       0                50000


Max Delay Paths
--------------------------------------------------------------------------------------
Slack ($state) :        ${wns}ns  (required time - arrival time)
  Source:                 design_1_i/penni/inst/u_top/u_conv1_mac/acc_q_reg\[3\]/C
                            (rising edge-triggered cell FDRE clocked by clk_fpga_0)
  Destination:            design_1_i/penni/inst/u_top/u_conv1_mac/out_q_reg\[7\]/D
                            (rising edge-triggered cell FDRE clocked by clk_fpga_0)
  Path Group:             clk_fpga_0
  Path Type:              Setup (Max at Slow Process Corner)
  Requirement:            8.000ns  (clk_fpga_0 rise@8.000ns - clk_fpga_0 rise@0.000ns)
  Data Path Delay:        7.600ns  (logic 3.651ns (48%)  route 3.949ns (52%))
  Logic Levels:           9  (CARRY4=4 LUT2=1 LUT6=4)

Min Delay Paths
--------------------------------------------------------------------------------------
Slack ($hold) :        ${::is(whs)}ns  (arrival time - required time)
  Source:                 design_1_i/dma/a_reg/C
  Destination:            design_1_i/dma/b_reg/D
  Path Group:             clk_fpga_0
  Path Type:              Hold (Min at Fast Process Corner)
"
}
command report_power {args} { report $args "| Total On-Chip Power (W)  | 2.391        |" }

# ---- the IP packager --------------------------------------------------------------------------------------------------
namespace eval ipx {}
command ipx::package_project {args} {
  lassign [options $args] named rest
  set ::ip [dict get $named -root_dir]
  file mkdir $::ip
}
command ipx::current_core {} { return core }
command ipx::update_checksums {core} {}
command ipx::check_integrity {core} {}
command ipx::save_core {core} { close [open [file join $::ip component.xml] w] }

if {![info exists ::is(external)]} { set ::is(external) {} }
set code [catch {source $script} message]
close $record
if {$code == 1} {
  puts stderr $::errorInfo
  exit 1
}
