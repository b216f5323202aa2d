# Modules alone, out of context: utilization and the highest clock of each. 'penni-hls synth DIR --tool vivado' and 'penni-hls build'
# for a bare part run it; by hand:
#
#   vivado -mode batch -source alone.tcl -tclargs modules=penni_accelerator place=1
#
# Arguments, each key=value: modules (separated by commas; one may carry parameters: penni_fifo:WIDTH=8:DEPTH=16), clock (MHz), place
# (1: place and route as well), from, netlist, work. Leaves in work, for the n-th module: n_utilization.rpt, n_timing.rpt, n.dcp where
# it was routed. Written for Vivado 2022.2 and later.

source [file join [file dirname [info script]] settings.tcl]
source [file join [file dirname [info script]] common.tcl]

penni_arguments [list modules penni_top clock $penni(clock_mhz) place 0 from rtl netlist "" work [file join $penni(here) alone]]
set work [file normalize $penni(work)]
file mkdir $work
penni_result vivado [version -short]

set constraints [open [file join $work clock.xdc] w]
puts $constraints "create_clock -period [format %.3f [expr {1000.0 / $penni(clock)}]] -name clock \[get_ports -quiet {clk_i ap_clk}\]"
close $constraints

create_project -in_memory -part $penni(part)
penni_strict
lassign [penni_sources] sources data
add_files -norecurse $sources
if {[llength $data] > 0} {
  add_files -norecurse $data
  set_property file_type {Memory Initialization Files} [get_files $data]
}
read_xdc -mode out_of_context [file join $work clock.xdc]

set index 0
foreach entry [split $penni(modules) ,] {
  set parameters [lassign [split $entry :] module]
  penni_step "module $entry"
  set command [list synth_design -top $module -part $penni(part) -mode out_of_context]
  foreach parameter $parameters { lappend command -generic $parameter }
  {*}$command
  if {$penni(place)} {
    opt_design
    place_design
    phys_opt_design
    route_design
    phys_opt_design
    write_checkpoint -force [file join $work $index.dcp]
    report_power -file [file join $work ${index}_power.rpt]
  }
  report_utilization -file [file join $work ${index}_utilization.rpt]
  report_timing_summary -delay_type min_max -max_paths 1 -file [file join $work ${index}_timing.rpt]
  penni_result module "$index $entry"
  close_design
  incr index
}
puts "Done: $index modules in $work"
