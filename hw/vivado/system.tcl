# The block design: processor, DMA engine, interrupt controller, accelerator. Property and pin names are those of the product
# guides: PG082 (Zynq-7000 processing system), PG201 (Zynq UltraScale+), PG021 (AXI DMA), PG099 (interrupt controller), PG247
# (SmartConnect), PG059 (AXI Interconnect).

# Vivado's board files where there are any: the processor is then set up by them. They come separately for many boards.
proc penni_board {} {
  global penni
  set found [lindex [get_board_parts -quiet -latest_file_version "*:$penni(vivado_board):*"] 0]
  if {$found ne ""} { set_property board_part $found [current_project] }
  penni_result board_files [expr {$found ne "" ? $found : "none"}]
  return [expr {$found ne ""}]
}

# The first of `names` that this Vivado has among its IP.
proc penni_have {names} {
  foreach name $names {
    if {[llength [get_ipdefs -all -quiet "xilinx.com:ip:$name:*"]] > 0} { return $name }
  }
  penni_fail "this Vivado has neither of the IP [join $names { and }]"
}

proc penni_cell {ip name {properties {}}} {
  set cell [create_bd_cell -type ip -vlnv xilinx.com:ip:$ip $name]
  if {[llength $properties] > 0} { set_property -dict $properties $cell }
  return $cell
}

proc penni_clock {args} { foreach pin $args { connect_bd_net [get_bd_pins $::penni(clock_pin)] [get_bd_pins $pin] } }

proc penni_reset {args} { foreach pin $args { connect_bd_net [get_bd_pins reset/peripheral_aresetn] [get_bd_pins $pin] } }

# The processor, with one master port (registers) and one slave port (memory) for the logic, and its first clock.
proc penni_processor {} {
  global penni
  set board [penni_board]
  set preset {}
  if {!$board} { foreach {key value} $penni(preset) { lappend preset CONFIG.$key $value } }
  if {$penni(processor) eq "zynq7"} {
    set ps [penni_cell processing_system7 ps]
    apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 \
      -config [list make_external {FIXED_IO, DDR} apply_board_preset $board Master Disable Slave Disable] $ps
    if {[llength $preset] > 0} { set_property -dict $preset $ps }
    set_property -dict [list \
      CONFIG.PCW_USE_M_AXI_GP0 1 CONFIG.PCW_USE_S_AXI_HP0 1 CONFIG.PCW_S_AXI_HP0_DATA_WIDTH 64 \
      CONFIG.PCW_USE_FABRIC_INTERRUPT 1 CONFIG.PCW_IRQ_F2P_INTR 1 \
      CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ $penni(clock)] $ps
    array set penni {
      clock_pin ps/FCLK_CLK0 reset_pin ps/FCLK_RESET0_N irq_pin ps/IRQ_F2P
      master ps/M_AXI_GP0 master_clock ps/M_AXI_GP0_ACLK memory ps/S_AXI_HP0 memory_clock ps/S_AXI_HP0_ACLK
      act_clock CONFIG.PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ address_bits 32
      interconnects {axi_interconnect smartconnect} penni_at 0x40000000 dma_at 0x40400000 intc_at 0x41800000
    }
  } else {
    set ps [penni_cell zynq_ultra_ps_e ps]
    if {$board} { apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e -config {apply_board_preset 1} $ps }
    if {[llength $preset] > 0} { set_property -dict $preset $ps }
    set_property -dict [list \
      CONFIG.PSU__USE__M_AXI_GP0 1 CONFIG.PSU__USE__M_AXI_GP1 0 CONFIG.PSU__USE__M_AXI_GP2 0 \
      CONFIG.PSU__USE__S_AXI_GP2 1 CONFIG.PSU__SAXIGP2__DATA_WIDTH 128 CONFIG.PSU__USE__IRQ0 1 \
      CONFIG.PSU__FPGA_PL0_ENABLE 1 CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ $penni(clock)] $ps
    array set penni {
      clock_pin ps/pl_clk0 reset_pin ps/pl_resetn0 irq_pin ps/pl_ps_irq0
      master ps/M_AXI_HPM0_FPD master_clock ps/maxihpm0_fpd_aclk memory ps/S_AXI_HP0_FPD memory_clock ps/saxihp0_fpd_aclk
      act_clock CONFIG.PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ address_bits 40
      interconnects {smartconnect axi_interconnect} penni_at 0xA0000000 dma_at 0xA0010000 intc_at 0xA0020000
    }
  }
  # What the processor's PLLs and dividers make of the clock that was asked for.
  set penni(act_mhz) [get_property $penni(act_clock) $ps]
  penni_result clock_mhz $penni(act_mhz)
  penni_cell proc_sys_reset reset
  penni_clock reset/slowest_sync_clk $penni(master_clock) $penni(memory_clock)
  connect_bd_net [get_bd_pins $penni(reset_pin)] [get_bd_pins reset/ext_reset_in]
}

# From `masters` to `slaves`. Small devices take the AXI Interconnect, which is the smaller of the two, where it is there.
proc penni_connect {name masters slaves} {
  global penni
  set kind [penni_have $penni(interconnects)]
  set sides [list CONFIG.NUM_SI [llength $masters] CONFIG.NUM_MI [llength $slaves]]
  penni_cell $kind $name $sides
  if {$kind eq "smartconnect"} {
    penni_clock $name/aclk
    connect_bd_net [get_bd_pins reset/interconnect_aresetn] [get_bd_pins $name/aresetn]
  } else {
    penni_clock $name/ACLK
    connect_bd_net [get_bd_pins reset/interconnect_aresetn] [get_bd_pins $name/ARESETN]
  }
  foreach {side ends} [list S $masters M $slaves] {
    set index 0
    foreach end $ends {
      set port [format %s%02d $side $index]
      connect_bd_intf_net [get_bd_intf_pins $end] [get_bd_intf_pins $name/${port}_AXI]
      if {$kind eq "axi_interconnect"} {
        penni_clock $name/${port}_ACLK
        penni_reset $name/${port}_ARESETN
      }
      incr index
    }
  }
}

# The accelerator's module, at the clock that there is.
proc penni_accelerator {} {
  global penni
  set cell [create_bd_cell -type module -reference penni_accelerator penni]
  set_property CONFIG.CLOCK_HZ [expr {round($penni(act_mhz) * 1e6)}] $cell
  penni_clock penni/ap_clk
  penni_reset penni/ap_rst_n
  foreach port $penni(external) { make_bd_intf_pins_external [get_bd_intf_pins penni/$port] }
}

# Simple mode, 26 bits of length: a transfer has up to 64 MiB. No realignment: buffers begin at whole words. The width of the
# results' stream follows from what it is joined to.
proc penni_dma {} {
  global penni
  penni_cell axi_dma dma [list \
    CONFIG.c_include_sg 0 CONFIG.c_sg_include_stscntrl_strm 0 CONFIG.c_sg_length_width 26 \
    CONFIG.c_addr_width $penni(address_bits) \
    CONFIG.c_include_mm2s_dre 0 CONFIG.c_m_axi_mm2s_data_width 64 CONFIG.c_m_axis_mm2s_tdata_width $penni(input_bits) \
    CONFIG.c_mm2s_burst_size 16 \
    CONFIG.c_include_s2mm_dre 0 CONFIG.c_m_axi_s2mm_data_width 64 CONFIG.c_s2mm_burst_size 16]
  penni_clock dma/s_axi_lite_aclk dma/m_axi_mm2s_aclk dma/m_axi_s2mm_aclk
  penni_reset dma/axi_resetn
  connect_bd_intf_net -intf_net pixels [get_bd_intf_pins dma/M_AXIS_MM2S] [get_bd_intf_pins penni/s_axis]
  connect_bd_intf_net -intf_net results [get_bd_intf_pins penni/m_axis] [get_bd_intf_pins dma/S_AXIS_S2MM]
}

# PYNQ wants an interrupt controller between the DMA's two interrupts and the processor.
proc penni_interrupts {} {
  global penni
  penni_cell axi_intc axi_intc {CONFIG.C_IRQ_CONNECTION 1}
  if {[llength [get_ipdefs -all -quiet xilinx.com:ip:xlconcat:*]] > 0} {
    penni_cell xlconcat interrupts {CONFIG.NUM_PORTS 2}
  } else {
    set cell [create_bd_cell -type inline_hdl -vlnv xilinx.com:inline_hdl:ilconcat:1.0 interrupts]
    set_property CONFIG.NUM_PORTS 2 $cell
  }
  connect_bd_net [get_bd_pins dma/mm2s_introut] [get_bd_pins interrupts/In0]
  connect_bd_net [get_bd_pins dma/s2mm_introut] [get_bd_pins interrupts/In1]
  connect_bd_net [get_bd_pins interrupts/dout] [get_bd_pins axi_intc/intr]
  connect_bd_net [get_bd_pins axi_intc/irq] [get_bd_pins $penni(irq_pin)]
  penni_clock axi_intc/s_axi_aclk
  penni_reset axi_intc/s_axi_aresetn
}

# A logic analyser on the two streams.
proc penni_ila {} {
  penni_cell system_ila ila [list CONFIG.C_NUM_MONITOR_SLOTS 2 CONFIG.C_DATA_DEPTH 1024 \
    CONFIG.C_SLOT_0_INTF_TYPE xilinx.com:interface:axis_rtl:1.0 \
    CONFIG.C_SLOT_1_INTF_TYPE xilinx.com:interface:axis_rtl:1.0]
  penni_clock ila/clk
  penni_reset ila/resetn
  connect_bd_intf_net -intf_net [get_bd_intf_nets pixels] [get_bd_intf_pins penni/s_axis] [get_bd_intf_pins ila/SLOT_0_AXIS]
  connect_bd_intf_net -intf_net [get_bd_intf_nets results] [get_bd_intf_pins penni/m_axis] [get_bd_intf_pins ila/SLOT_1_AXIS]
  set_property HDL_ATTRIBUTE.DEBUG true [get_bd_intf_nets {pixels results}]
}

# Registers at fixed addresses, the same in every build, for those who do not read the .hwh; then the memory, as Vivado maps it.
# A segment that is not called as expected is found by its interface.
proc penni_addresses {} {
  global penni
  foreach {cell bus segment offset range} [list \
    penni    s_axi_control s_axi_control/reg0 $penni(penni_at) 4K \
    dma      S_AXI_LITE    S_AXI_LITE/Reg     $penni(dma_at)   64K \
    axi_intc s_axi         S_AXI/Reg          $penni(intc_at)  64K] {
    set found [get_bd_addr_segs -quiet $cell/$segment]
    if {$found eq ""} { set found [get_bd_addr_segs -of_objects [get_bd_intf_pins $cell/$bus]] }
    assign_bd_address -target_address_space /ps/Data -offset $offset -range $range $found -force
    penni_result address "$cell $offset"
  }
  assign_bd_address
}

proc penni_block_design {} {
  global penni
  create_bd_design design_1
  penni_processor
  penni_accelerator
  penni_dma
  penni_interrupts
  penni_connect control [list $penni(master)] {penni/s_axi_control dma/S_AXI_LITE axi_intc/s_axi}
  penni_connect data {dma/M_AXI_MM2S dma/M_AXI_S2MM} [list $penni(memory)]
  if {$penni(ila)} penni_ila
  penni_addresses
  validate_bd_design
  save_bd_design
  set design [get_files design_1.bd]
  set_property synth_checkpoint_mode None $design
  generate_target all $design
  add_files -norecurse [make_wrapper -files $design -top]
  set_property top design_1_wrapper [current_fileset]
  update_compile_order -fileset sources_1
}
