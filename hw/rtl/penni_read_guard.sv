/// Between an AXI4 read master that may be reset at any time and a memory that is not: a burst that was asked for is received
/// to its end.
///
/// While core_rst_ni is low, and behind it until the last such burst has ended, nothing more is asked for, and the beats
/// that come are taken and dropped. 255 bursts may be open. Addresses leave from registers, a cycle late; data pass with
/// latency 0: core_rvalid_o depends on rvalid_i, rready_o on core_rready_i.
module penni_read_guard #(
    parameter int unsigned DATAW = 8
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             core_rst_ni,
    // the master
    input  logic [0:0]       core_arid_i,
    input  logic [31:0]      core_araddr_i,
    input  logic [7:0]       core_arlen_i,
    input  logic [2:0]       core_arsize_i,
    input  logic [1:0]       core_arburst_i,
    input  logic             core_arvalid_i,
    output logic             core_arready_o,
    output logic [0:0]       core_rid_o,
    output logic [DATAW-1:0] core_rdata_o,
    output logic [1:0]       core_rresp_o,
    output logic             core_rlast_o,
    output logic             core_rvalid_o,
    input  logic             core_rready_i,
    // the memory
    output logic [0:0]       arid_o,
    output logic [31:0]      araddr_o,
    output logic [7:0]       arlen_o,
    output logic [2:0]       arsize_o,
    output logic [1:0]       arburst_o,
    output logic             arvalid_o,
    input  logic             arready_i,
    input  logic [0:0]       rid_i,
    input  logic [DATAW-1:0] rdata_i,
    input  logic [1:0]       rresp_i,
    input  logic             rlast_i,
    input  logic             rvalid_i,
    output logic             rready_o
);
  logic [7:0] open_d, open_q;  // bursts
  logic       quiet, dropping_q, may_ask, room, asked, ended;

  assign quiet          = !core_rst_ni || dropping_q;
  assign may_ask        = !quiet && !(&open_q);
  assign core_arready_o = may_ask && room;
  assign asked          = core_arvalid_i && core_arready_o;
  assign ended          = rvalid_i && rready_o && rlast_i;

  penni_fifo #(
      .WIDTH(46),
      .DEPTH(2)
  ) u_addresses (
      .clk_i,
      .rst_ni,
      .in_valid_i(core_arvalid_i && may_ask),
      .in_ready_o(room),
      .in_data_i({core_arid_i, core_araddr_i, core_arlen_i, core_arsize_i, core_arburst_i}),
      .out_valid_o(arvalid_o),
      .out_ready_i(arready_i),
      .out_data_o({arid_o, araddr_o, arlen_o, arsize_o, arburst_o})
  );

  assign rready_o      = quiet || core_rready_i;
  assign core_rvalid_o = rvalid_i && !quiet;
  assign {core_rid_o, core_rdata_o, core_rresp_o, core_rlast_o} = {rid_i, rdata_i, rresp_i, rlast_i};

  always_comb begin
    unique case ({asked, ended})
      2'b10: open_d = open_q + 1'b1;
      2'b01: open_d = open_q - 1'b1;
      default: open_d = open_q;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      open_q     <= '0;
      dropping_q <= 1'b0;
    end else begin
      open_q     <= open_d;
      dropping_q <= quiet && open_d != '0;
    end
  end
endmodule
