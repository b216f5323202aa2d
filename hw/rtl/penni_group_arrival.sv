/// Whether all that a walker's group of Q windows reads has arrived: in the next cycle it has where there_o.
///
/// Counted is what lies in the row buffer: row_written_i comes with a row's last pixel, columns_i says
/// how many pixels of the row after that are there. What a group reads ends with a column of its last window; where this
/// is the row's last window, with that row; of the frame's last group, which frees it, with the whole map. Where that
/// is, is worked out while the group before is walked. done_i, only behind there_o: the walker is done with the group, and
/// there_o is about the next one, from one cycle later on. Of what is written there_o tells a cycle later.
module penni_group_arrival #(
    parameter int unsigned H = 8,
    parameter int unsigned W = 8,
    parameter int unsigned HO = 8,
    parameter int unsigned WO = 8,
    parameter int unsigned KH = 3,
    parameter int unsigned KW = 3,
    parameter int unsigned STRIDE_H = 1,
    parameter int unsigned STRIDE_W = 1,
    parameter int unsigned PAD_TOP = 1,
    parameter int unsigned PAD_LEFT = 1,
    parameter int unsigned Q = 4,
    parameter int unsigned ROWS = 4,
    parameter int unsigned COLW = 4
) (
    input  logic            clk_i,
    input  logic            rst_ni,
    input  logic            row_written_i,
    input  logic [COLW-1:0] columns_i,
    input  logic            done_i,
    output logic            there_o
);
  localparam int unsigned LAST_X = (WO - 1) * STRIDE_W;  // left column and top row of the last window
  localparam int unsigned LAST_Y = (HO - 1) * STRIDE_H;
  localparam int unsigned FIRST_X = (Q - 1) % WO * STRIDE_W;  // of the first group's last window
  localparam int unsigned FIRST_Y = (Q - 1) / WO * STRIDE_H;
  localparam int unsigned STEP_X = Q % WO * STRIDE_W;  // to the next group's
  localparam int unsigned STEP_Y = Q / WO * STRIDE_H;
  localparam int unsigned XCW = $clog2(LAST_X + 2);
  localparam int unsigned YCW = $clog2(LAST_Y + STEP_Y + STRIDE_H + FIRST_Y + 2);
  localparam int unsigned RW = $clog2(H + ROWS + 2);
  localparam int unsigned LOWEST = (PAD_TOP + H > KH) ? PAD_TOP + H - KH : 0;  // from here on windows end with the map
  localparam int unsigned WHOLE_X = (PAD_LEFT + W > KW) ? PAD_LEFT + W - KW : 0;  // from here on they end with the row

  // ---- The last window of the group to come, and what the group that is looked for needs -----------------------------
  logic [XCW-1:0]  x_q;
  logic [YCW-1:0]  y_q;
  logic [RW-1:0]   rows_q;     // whole rows, and of the one below as much: all of it where whole_q
  logic [COLW-1:0] columns_q;  // else so many columns of it
  logic            whole_q, last_q;  // last: of the frame
  logic            known_q;  // these are
  logic            wraps, last, next, found, there_q, all_there_q;
  logic [RW-1:0]   arrived_q;  // rows of the group's frame; above H: rows of the next one

  /* verilator lint_off UNSIGNED */  // constants may be 0
  assign wraps = 32'(x_q) > LAST_X - STEP_X;
  assign last  = 32'(y_q) > LAST_Y || (32'(y_q) == LAST_Y && 32'(x_q) == LAST_X);
  assign found = !there_q && all_there_q;
  assign next  = found || !known_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      x_q <= XCW'(FIRST_X);
      y_q <= YCW'(FIRST_Y);
    end else if (next) begin
      x_q <= last ? XCW'(FIRST_X) : x_q + (wraps ? XCW'(STEP_X) - XCW'(WO * STRIDE_W) : XCW'(STEP_X));
      y_q <= last ? YCW'(FIRST_Y) : y_q + (wraps ? YCW'(STEP_Y + STRIDE_H) : YCW'(STEP_Y));
    end
  end

  // A group's lowest row is whole, too, where it is the map's last one and the group begins in windows above.
  always_ff @(posedge clk_i) begin
    if (next) begin
      rows_q    <= (last || 32'(y_q) >= LOWEST) ? RW'(H - 1) : RW'(32'(y_q) + KH - 1 - PAD_TOP);
      columns_q <= COLW'(32'(x_q) + KW - PAD_LEFT);
      whole_q   <= last || 32'(x_q) == LAST_X || 32'(x_q) >= WHOLE_X
                   || (32'(y_q) >= LOWEST && 32'(x_q) < (Q - 1) * STRIDE_W);
      last_q    <= last;
    end
  end
  /* verilator lint_on UNSIGNED */

  // ---- What has arrived ---------------------------------------------------------------------------------------------
  assign there_o = there_q ? !done_i : all_there_q;
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      known_q     <= 1'b0;
      there_q     <= 1'b0;
      all_there_q <= 1'b0;
      arrived_q   <= '0;
    end else begin
      known_q     <= 1'b1;
      there_q     <= there_o;
      all_there_q <= known_q && arrived_q >= rows_q && (arrived_q != rows_q || (!whole_q && columns_i >= columns_q));
      arrived_q   <= arrived_q + RW'(row_written_i) - ((found && last_q) ? RW'(H) : '0);
    end
  end
endmodule
