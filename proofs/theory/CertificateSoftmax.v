(** Certificates of softmax losses, checked by computation: cross-entropy, label
    smoothing and pick-all-labels, over any real closed field with an exponential.

    No logarithm and no series is needed, only exp x >= 1 + x and exp (x + y) =
    exp x exp y:  exp u >= (1 + u/2^k)^(2^k), by repeated squaring rounded down. *)
Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring zify ssrZ.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Exponential Softmax.
From UFM Require Import CertificateNumbers CertificateBound CertificateChecker CertificatePoint.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.
Delimit Scope Z_scope with binZ.
Delimit Scope Q_scope with binQ.

(** ** Exponentials in fixed point, rounded down *)
Record precision := Precision { fraction : nat; squarings : nat }.

Section Exp.
Variable p : precision.
Definition two_to (n : nat) : Z := (2 ^ Z.of_nat n)%binZ.
Definition bits : nat := fraction p + squarings p.
Fixpoint square_times (n : nat) (x : Z) : Z :=
  if n is n'.+1 then square_times n' (Z.shiftr (x * x) (Z.of_nat bits)) else x.
(** At most exp (U / 2^fraction) 2^bits, for U >= - 2^bits. *)
Definition exp_below (U : Z) : Z := square_times (squarings p) (two_to bits + U)%binZ.
Definition exp_ok (U : Z) : bool := Z.leb 0 (two_to bits + U).

Variables (R : rcfType) (E : exponential R).
Local Notation e := (ex E).
Local Notation zr := (zr R).
Local Notation B := (zr (two_to bits)).
Let B0 : 0 < B. Proof. by rewrite /two_to zr_pow2 exprn_gt0 // ltr0n. Qed.
Let BN : B != 0. Proof. by rewrite gt_eqF. Qed.
Let FN n : zr (two_to n) != 0 :> R.
Proof. by rewrite /two_to zr_pow2 expf_neq0 // pnatr_eq0. Qed.

Lemma square_timesP n (x : Z) (y : R) : Z.leb 0 x -> zr x <= B * e y ->
  zr (square_times n x) <= B * e (2%:R ^+ n * y).
Proof.
elim: n x y => [|n ih] x y x0 h /=; first by rewrite expr0 mul1r.
have -> : 2%:R ^+ n.+1 * y = 2%:R ^+ n * (y + y) by rewrite exprSr -mulrA mulr_natl mulr2n.
have d : Z.shiftr (x * x) (Z.of_nat bits) = (x * x / two_to bits)%binZ.
  by rewrite Z.shiftr_div_pow2 //; exact: Nat2Z.is_nonneg.
have t0 : (0 < two_to bits)%binZ by apply: Z.pow_pos_nonneg => //; exact: Nat2Z.is_nonneg.
apply: ih.
  by rewrite d; apply/Z.leb_le/Z.div_pos => //; exact: Z.square_nonneg.
have x0' : 0 <= zr x by rewrite -zr0 zr_le.
rewrite d exD -(ler_pmul2l B0).
apply: le_trans (_ : zr x * zr x <= _); last first.
  by have -> : B * (B * (e y * e y)) = B * e y * (B * e y) by [ring]; apply: ler_pmul.
by rewrite -!zrM zr_le; apply/Z.leb_le/Z.mul_div_le.
Qed.

Lemma exp_belowP U : exp_ok U ->
  zr (exp_below U) <= B * e (zr U / zr (two_to (fraction p))).
Proof.
move=> ok; rewrite /exp_below.
have -> : zr U / zr (two_to (fraction p)) = 2%:R ^+ squarings p * (zr U / B).
  rewrite /two_to !zr_pow2 exprD; field.
  by rewrite !expf_neq0 // pnatr_eq0.
apply: square_timesP => //; rewrite zrD.
have -> : B + zr U = B * (1 + zr U / B) by field.
by rewrite ler_pmul2l // ex_ge.
Qed.
End Exp.

(** ** The dual bound of log-sum-exp, from exponentials that are large enough *)
Section LseDual.
Variables (R : rcfType) (E : exponential R) (K : nat) (k0 : 'I_K).
Implicit Types q u z : 'I_K -> R.

Lemma jensen_weak q x : (forall k, 0 <= q k) -> \sum_k q k = 1 ->
  ex E (\sum_k q k * x k) <= \sum_k q k * ex E (x k).
Proof.
move=> q0 q1; set m := \sum_k _.
have -> : \sum_k q k * ex E (x k) = ex E m * \sum_k q k * ex E (x k - m).
  rewrite mulr_sumr; apply: eq_bigr => k _.
  by rewrite mulrCA -exD addrC subrK.
rewrite -[X in X <= _]mulr1 ler_pmul2l ?ex_gt0 //.
apply: le_trans (_ : \sum_k q k * (1 + (x k - m)) <= _).
  under eq_bigr do rewrite mulrDr mulr1 mulrBr.
  by rewrite big_split sumrB /= -mulr_suml q1 -/m mul1r subrr addr0.
by apply: ler_sum => k _; rewrite ler_wpmul2l // ex_ge.
Qed.

(** With q >= 0 of sum w and q_k <= w exp u_k:  w lse z >= sum_k q_k (z_k - u_k). *)
Lemma lse_dual w q u z : 0 < w -> (forall k, 0 <= q k) -> \sum_k q k = w ->
  (forall k, q k <= w * ex E (u k)) -> \sum_k q k * (z k - u k) <= w * lse E z.
Proof.
move=> w0 q0 q1 qu; have wN : w != 0 by rewrite gt_eqF.
have -> : \sum_k q k * (z k - u k) = w * \sum_k (q k / w) * (z k - u k).
  by rewrite mulr_sumr; apply: eq_bigr => k _; field.
rewrite ler_pmul2l // -[X in X <= _](exK E); apply: ln_le; first exact: ex_gt0.
apply: le_trans (jensen_weak _ _ _) _.
- by move=> k; rewrite divr_ge0 // ltW.
- by rewrite -mulr_suml q1 mulfV.
apply: ler_sum => k _.
rewrite exD mulrCA -[X in _ <= X]mulr1 ler_pmul2l ?ex_gt0 //.
by rewrite exN ler_pdivr_mulr ?ex_gt0 // mul1r ler_pdivr_mulr // mulrC.
Qed.

(** lse z <= v as soon as the exp (z_k - v) add up to at most one. *)
Lemma lse_le z v : \sum_k ex E (z k - v) <= 1 -> lse E z <= v.
Proof.
move=> h; rewrite -[v](exK E); apply: ln_le; first exact: (sum_exp_gt0 E z k0).
rewrite -[X in _ <= X]mul1r -ler_pdivr_mulr ?ex_gt0 //.
apply: le_trans h; rewrite /sum_exp mulr_suml.
by apply: ler_sum => k _; rewrite exD exN.
Qed.
End LseDual.

(** ** The checker *)

(** [masses]: the total weight w_g of the log-sum-exp in each group (1 for
    cross-entropy, the number of tags for pick-all-labels).  [logs]: triples
    (w, q, U) with q / (w target_den unit) <= exp (U / 2^fraction). *)
Section Checker.
Variables (P : problem) (masses : seq Z) (D : dual) (p : precision) (logs : seq (Z * Z * Z)).
Local Notation K := (classes P).
Local Notation C := (groups P).
Local Notation den := (Zpos (target_den P) * Zpos (unit D))%binZ.

Definition check_log (l : Z * Z * Z) : bool :=
  let: (w, q, U) := l in
  exp_ok p U && Z.leb (q * two_to (bits p)) (exp_below p U * (w * den)).
Fixpoint find_log (w q : Z) (l : seq (Z * Z * Z)) : option Z :=
  if l is (w', q', U) :: l' then
    if (Z.eqb q q' && Z.eqb w w')%bool then Some U else find_log w q l'
  else None.

(** q = t + r, times target_den unit *)
Definition mass_rows : seq (seq Z) :=
  map2 (map2 (fun t r => t * Zpos (unit D) + r * Zpos (target_den P))%binZ)
    (targets P) (dual_rows D).
Definition log_rows : seq (seq (option Z)) :=
  [seq map2 (fun w q => find_log w q logs) masses r | r <- mass_rows].
Definition log_numbers : seq (seq Z) := [seq [seq odflt 0%binZ o | o <- r] | r <- log_rows].
Definition column_total (g : nat) : Z := sumz [seq at1 r g | r <- mass_rows].

Definition softmax_lower : Q :=
  (- ((sumz (map2 (fun q u => dot (weighted P q) u) mass_rows log_numbers) # 1)
      / (samples P * den * two_to (fraction p) # 1)) - bias_loss P D)%binQ.

Definition check_softmax_lower (lower : Q) : bool :=
  [&& check_dual P D,
      (0 < K)%N && (size masses == C),
      all (Z.ltb 0) masses,
      all (fun r => all (Z.leb 0) r) mass_rows,
      all (fun g => Z.eqb (column_total g) (at1 masses g * den)) (iota 0 C)
    & [&& all check_log logs, all (fun r => all isSome r) log_rows
        & Qle_bool lower softmax_lower]].

Variable X : point.
(** [levels]: v_g with sum_k exp (z_kg - v_g / 2^fraction) <= 1. *)
Variable levels : seq Z.
Local Notation u2 := (Zpos (point_unit X) * Zpos (point_unit X))%binZ.
(** floor of (v - z) 2^fraction, and an upper bound of exp (z - v) 2^bits *)
Definition exponent (v z : Z) : Z := (v - (z * two_to (fraction p) / u2) - 1)%binZ.
Definition exp_above (v z : Z) : Z :=
  (two_to (bits p) * two_to (bits p) / exp_below p (exponent v z) + 1)%binZ.
Definition check_level (g : nat) : bool :=
  let zs := [seq at1 r g | r <- logit_rows X] in
  let v := at1 levels g in
  all (fun z => exp_ok p (exponent v z) && Z.ltb 0 (exp_below p (exponent v z))) zs
  && Z.leb (sumz [seq exp_above v z | z <- zs]) (two_to (bits p)).

Definition softmax_upper : Q :=
  ((dot (weighted P masses) levels # 1) / (samples P * two_to (fraction p) # 1)
   - (sumz (map2 (fun t z => dot (weighted P t) z) (targets P) (logit_rows X)) # 1)
     / (samples P * (Zpos (target_den P) * u2) # 1)
   + penalty P X)%binQ.
Definition check_softmax_upper (upper : Q) : bool :=
  [&& check_problem P, check_point P X,
      (0 < K)%N && (size masses == C), all (Z.leb 0) masses,
      size levels == C, all check_level (iota 0 C)
    & Qle_bool softmax_upper upper].
End Checker.

(** The weight of a sample is its group's. *)
Definition group_mass (masses : seq Z) (R : rcfType) N C (lab : 'I_N -> 'I_C) (i : 'I_N) : R :=
  zr R (at1 masses (lab i)).

Section Sound.
Variables (P : problem) (masses : seq Z) (p : precision).
Variables (R : rcfType) (E : exponential R) (N : nat) (lab : 'I_N -> 'I_(groups P)).
Hypothesis sizes : sizes_are lab (counts P).
Local Notation K := (classes P).
Local Notation C := (groups P).
Local Notation Y := (onehot R lab).
Local Notation zr := (zr R).
Local Notation qr := (qr R).
Local Notation T := (target_matrix R lab).
Local Notation L := (softmax_loss E (group_mass masses R lab) T).
Local Notation f := (ufm L (qr (lambda_w P)) (qr (lambda_h P)) (bias_of P R)).
Local Notation td := (zr (Zpos (target_den P))).
Local Notation F := (zr (two_to (fraction p))).
Let tN : td != 0. Proof. exact: zr_posN. Qed.
Let F0 : 0 < F. Proof. by rewrite /two_to zr_pow2 exprn_gt0 // ltr0n. Qed.
Let FN : F != 0. Proof. by rewrite gt_eqF. Qed.

Section Lower.
Variables (D : dual) (logs : seq (Z * Z * Z)) (q : Q).
Hypothesis ok : check_softmax_lower P masses D p logs q.
Let okD : check_dual P D. Proof. by case/and5P: ok. Qed.
Let okP : check_problem P. Proof. by case/and4P: okD. Qed.
Let sR : shaped K C (dual_rows D). Proof. by case/and4P: okD. Qed.
Let sT : shaped K C (targets P). Proof. by case/and5P: okP. Qed.
Let sm : size masses = C. Proof. by case/and5P: ok => _ /andP[_ /eqP]. Qed.
Let NN : N%:R != 0 :> R.
Proof. by rewrite pnatr_eq0 -lt0n (samples_gt0 R sizes okP). Qed.
Local Notation u := (zr (Zpos (unit D))).
Local Notation r := (dual_columns P R D).
Local Notation G := (dual_samples R lab D).
Local Notation mrows := (mass_rows P D).
Local Notation lrows := (log_rows P masses D logs).
Local Notation lnums := (log_numbers P masses D logs).
Let uN : u != 0. Proof. exact: zr_posN. Qed.
Let sq : shaped K C mrows. Proof. exact: shaped_map2. Qed.

Let qE (k : 'I_K) (g : 'I_C) : (target_columns P R + r) k g = zr (at2 mrows k g) / (td * u).
Proof.
rewrite (at_map2 _ sT sR) // zrD !zrM /target_columns /dual_columns !mxE.
by field; rewrite tN uN.
Qed.
Let du0 : 0 < td * u. Proof. by rewrite mulr_gt0 ?zr_pos. Qed.
Let mass_gt0 (g : 'I_C) : 0 < zr (at1 masses g).
Proof.
case/and5P: ok => _ _ /all_nthP h _ _; rewrite -zr0 zr_lt.
by apply: h; rewrite sm.
Qed.
Let q_ge0 (k : 'I_K) (g : 'I_C) : 0 <= (target_columns P R + r) k g.
Proof.
rewrite qE; apply: divr_ge0; last exact: ltW.
case/and5P: ok => _ _ _ /all_nthP h _; rewrite -zr0 zr_le.
have := h [::] k; rewrite (shaped_size sq) => /(_ (ltn_ord k)) /all_nthP; apply.
by rewrite (shaped_row sq).
Qed.
Let q_sum (g : 'I_C) : \sum_k (target_columns P R + r) k g = zr (at1 masses g).
Proof.
under eq_bigr do rewrite qE.
rewrite -mulr_suml.
case/and5P: ok => _ _ _ _ /andP[/allP h _].
have := h (g : nat); rewrite mem_iota /= add0n ltn_ord => /(_ isT) /Z.eqb_spec e.
have := congr1 zr e; rewrite /column_total (sumzE R (n := K)) ?size_map ?(shaped_size sq) //.
rewrite !zrM zr_posM => e'.
have -> : \sum_(k < K) zr (at2 mrows k g) = zr (at1 masses g) * (td * u).
  rewrite -e'; apply: eq_bigr => k _.
  by rewrite (nth_map [::]) ?(shaped_size sq).
by rewrite mulfK // gt_eqF.
Qed.

Let log (k : 'I_K) (g : 'I_C) : R := zr (at2 lnums k g) / F.
Let slog (k : 'I_K) : size (nth [::] lnums k) = C.
Proof.
rewrite (nth_map [::]) ?size_map ?(shaped_size sq) //.
rewrite (nth_map [::]) ?(shaped_size sq) //.
exact: size_map2 sm (shaped_row sq (ltn_ord k)).
Qed.
Let q_exp (k : 'I_K) (g : 'I_C) :
  (target_columns P R + r) k g <= zr (at1 masses g) * ex E (log k g).
Proof.
rewrite qE ler_pdivr_mulr // /log.
have srow := size_map2 (fun w q => find_log w q logs) sm (shaped_row sq (ltn_ord k)).
have found : find_log (at1 masses g) (at2 mrows k g) logs = Some (at2 lnums k g).
  case/and5P: ok => _ _ _ _ /andP[_ /and3P[_ /all_nthP h _]].
  have := h [::] k; rewrite size_map (shaped_size sq) => /(_ (ltn_ord k)).
  rewrite (nth_map [::]) ?(shaped_size sq) // => /all_nthP h2; move: (h2 None g).
  rewrite srow => /(_ (ltn_ord g)).
  rewrite (nth_map [::]) ?size_map ?(shaped_size sq) // (nth_map None); last first.
    by rewrite (nth_map [::]) ?(shaped_size sq) // srow.
  rewrite (nth_map [::]) ?(shaped_size sq) //.
  rewrite (nth_map2 _ 0%binZ 0%binZ None sm (shaped_row sq (ltn_ord k)) (ltn_ord g)).
  by case: find_log.
have good : check_log P D p (at1 masses g, at2 mrows k g, at2 lnums k g).
  case/and5P: ok => _ _ _ _ /andP[_ /and3P[h _ _]].
  move: (at2 lnums k g) found => V; elim: (logs) h => [|[[w' q'] U] l ih] //= /andP[h1 h2].
  by case: andP => [[/Z.eqb_spec -> /Z.eqb_spec ->] [<-] //|_]; exact: ih.
case/andP: good => eok; rewrite -(zr_le R) !zrM => le.
have B0 : 0 < zr (two_to (bits p)) by rewrite /two_to zr_pow2 exprn_gt0 // ltr0n.
rewrite -(ler_pmul2r B0); apply: (le_trans le).
have -> : zr (at1 masses g) * ex E (zr (at2 lnums k g) / F) * (td * u) * zr (two_to (bits p))
  = zr (two_to (bits p)) * ex E (zr (at2 lnums k g) / F) * (zr (at1 masses g) * (td * u)) by ring.
by rewrite ler_wpmul2r ?exp_belowP // mulr_ge0 // ltW.
Qed.

Let v : R := - (N%:R^-1 * (\sum_g (class_size lab g)%:R
                  * (\sum_k (target_columns P R + r) k g * log k g))).

Lemma softmax_fenchel Z : v + frob G Z <= L Z.
Proof.
have N0 : 0 < N%:R^-1 :> R by rewrite invr_gt0 ltr0n (samples_gt0 R sizes okP).
rewrite /softmax_loss /dual_samples frobZl /v -mulrN -mulrDr ler_pmul2l //.
rewrite ler_subr_addr -(sum_groups lab (fun g => \sum_k (target_columns P R + r) k g * log k g)).
have -> : - (\sum_i \sum_k (target_columns P R + r) k (lab i) * log k (lab i))
    + frob (r *m Y) Z + frob T Z
  = \sum_i \sum_k (target_columns P R + r) k (lab i) * (Z k i - log k (lab i)).
  rewrite -addrA -frobDl [r *m Y + T]addrC /target_matrix -mulmxDl frobEcol addrC -sumrB.
  apply: eq_bigr => i _; rewrite -sumrB; apply: eq_bigr => k _.
  by rewrite mulmx_onehot mulrBr.
apply: ler_sum => i _.
exact: (lse_dual (fun k => Z k i) (mass_gt0 _) (fun k => q_ge0 k _) (q_sum _) (fun k => q_exp k _)).
Qed.

Lemma softmax_lowerE : qr (softmax_lower P masses D p logs)
  = v - bias_cost (bias_of P R) (G *m (ones N)^T).
Proof.
rewrite /softmax_lower qrB qrN (bias_loss_cost R sizes okP okD) /Qdiv qrM qrV !qr_int !zrM.
rewrite (samples_zr R sizes) /v; congr (- _ - _).
have sl : size lnums = K by rewrite !size_map (shaped_size sq).
have sz := size_map2 (fun q u => dot (weighted P q) u) (shaped_size sq) sl.
rewrite (sumzE R sz); under [in RHS]eq_bigr do rewrite mulr_sumr.
rewrite exchange_big /= mulr_suml mulr_sumr; apply: eq_bigr => k _.
rewrite (nth_map2 _ [::] [::] _ (shaped_size sq) sl (ltn_ord k)).
rewrite (dot_weighted R sizes (shaped_row sq (ltn_ord k)) (slog k)) mulr_suml mulr_sumr.
apply: eq_bigr => g _; rewrite qE /log; field.
by rewrite NN tN uN FN.
Qed.

Theorem softmax_lower_sound d (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_K) :
  bias_allowed (bias_of P R) b -> qr q <= f W H b.
Proof.
move=> bok.
have h : Qle_bool q (softmax_lower P masses D p logs).
  by case/and5P: ok => _ _ _ _ /andP[_ /and3P[]].
apply: (le_trans (qr_le R h)); rewrite softmax_lowerE.
apply: (weak_duality (lambda_w_gt0 R okP) (lambda_h_gt0 R okP) softmax_fenchel) => //.
  exact: dual_op.
exact: dual_bias.
Qed.
End Lower.

Section Upper.
Variables (X : point) (levels : seq Z) (q : Q).
Hypothesis ok : check_softmax_upper P masses p X levels q.
Let okP : check_problem P. Proof. by case/and5P: ok. Qed.
Let okX : check_point P X. Proof. by case/and5P: ok. Qed.
Let K0 : (0 < K)%N. Proof. by case/and5P: ok => _ _ /andP[]. Qed.
Let sm : size masses = C. Proof. by case/and5P: ok => _ _ /andP[_ /eqP]. Qed.
Let sv : size levels = C. Proof. by case/and5P: ok => _ _ _ _ /andP[/eqP]. Qed.
Let sT : shaped K C (targets P). Proof. by case/and5P: okP. Qed.
Let sZ : shaped K C (logit_rows X). Proof. exact: logit_rows_shaped okX. Qed.
Let NN : N%:R != 0 :> R.
Proof. by rewrite pnatr_eq0 -lt0n (samples_gt0 R sizes okP). Qed.
Local Notation u := (zr (Zpos (point_unit X))).
Let uN : u != 0. Proof. exact: zr_posN. Qed.
Local Notation Zc := (point_logits P X R).
Let ZE (k : 'I_K) (g : 'I_C) : Zc k g = zr (at2 (logit_rows X) k g) / (u * u).
Proof. by rewrite (point_logitsE R okX) !mxE -expr2 mulrC. Qed.

Let div_above (a c : Z) : (0 < c -> a <= (a / c + 1) * c)%binZ.
Proof.
move=> c0; apply: Z.lt_le_incl; rewrite Z.add_1_r [X in (_ < X)%binZ]Z.mul_comm.
exact: Z.mul_succ_div_gt.
Qed.
(** exp (z - v) 2^bits is at most [exp_above]. *)
Let exp_aboveP (v z : Z) : exp_ok p (exponent p X v z) ->
  Z.ltb 0 (exp_below p (exponent p X v z)) ->
  zr (two_to (bits p)) * ex E (zr z / (u * u) - zr v / F) <= zr (exp_above p X v z).
Proof.
set s := exponent _ _ _ _; set B := two_to (bits p); set e := exp_below p s.
move=> eok e0.
have B0 : 0 < zr B by rewrite /B /two_to zr_pow2 exprn_gt0 // ltr0n.
have e1 : 0 < zr e by rewrite -zr0 zr_lt.
have low : zr e <= zr B * ex E (zr v / F - zr z / (u * u)).
  apply: (le_trans (exp_belowP E eok)); rewrite ler_pmul2l // ex_le //.
  rewrite ler_pdivr_mulr // mulrBl divfK // /s /exponent !zrB zr1.
  rewrite -addrA ler_add2l -opprD ler_opp2.
  have u20 : 0 < u * u by rewrite mulr_gt0 ?zr_pos.
  rewrite mulrAC ler_pdivr_mulr // -!zrM -zr1 -zrD -zrM zr_le; apply/Z.leb_le.
  exact: div_above.
have -> : zr z / (u * u) - zr v / F = - (zr v / F - zr z / (u * u)) by rewrite opprB.
move: low; set a := ex E _ => low.
have a0 : 0 < a by exact: ex_gt0.
rewrite exN -/a; apply: le_trans (_ : zr B * zr B / zr e <= _).
  by rewrite ler_pdivr_mulr // mulrAC ler_pdivl_mulr // -mulrA ler_pmul2l.
rewrite ler_pdivr_mulr // -!zrM zr_le; apply/Z.leb_le.
by apply/div_above/Z.ltb_lt.
Qed.

Let level (g : 'I_C) : lse E (fun k => Zc k g) <= zr (at1 levels g) / F.
Proof.
apply: (lse_le (Ordinal K0)).
case/and5P: ok => _ _ _ _ /andP[_ /andP[/allP h _]].
have := h (g : nat); rewrite mem_iota /= add0n ltn_ord => /(_ isT) /andP[/all_nthP okz le].
have B0 : 0 < zr (two_to (bits p)) by rewrite /two_to zr_pow2 exprn_gt0 // ltr0n.
rewrite -(ler_pmul2l B0) mulr1; move: le; rewrite -(zr_le R); apply: le_trans.
rewrite (sumzE R (n := K)) ?size_map ?(shaped_size sZ) // mulr_sumr.
apply: ler_sum => k _; rewrite ZE.
have := okz 0%binZ k; rewrite size_map (shaped_size sZ) => /(_ (ltn_ord k)).
rewrite (nth_map 0%binZ) ?size_map ?(shaped_size sZ) // (nth_map [::]) ?(shaped_size sZ) //.
by case/andP; exact: exp_aboveP.
Qed.

Theorem softmax_upper_sound :
  bias_allowed (bias_of P R) (point_bias P X R) /\
  f (point_weights P X R) (point_features P X R *m Y) (point_bias P X R) <= qr q.
Proof.
split; first exact: point_bias_allowed.
have h : Qle_bool (softmax_upper P masses p X levels) q.
  by case/and5P: ok => _ _ _ _ /and3P[].
apply: le_trans (qr_le R h); rewrite /softmax_upper qrD (penaltyE R sizes okX) /ufm.
rewrite -!addrA; apply: ler_add => //; rewrite groups_logits -/(point_logits P X R).
rewrite /softmax_loss /target_matrix qrB /Qdiv !qrM !qrV !qr_int !zrM (samples_zr R sizes) mulrBr.
apply: ler_add; last first.
  rewrite ler_opp2 frob_groups.
  have sz := size_map2 (fun t z => dot (weighted P t) z) (shaped_size sT) (shaped_size sZ).
  rewrite (sumzE R sz) mulr_suml mulr_sumr; apply: ler_sum => k _.
  rewrite (nth_map2 _ [::] [::] _ (shaped_size sT) (shaped_size sZ) (ltn_ord k)).
  rewrite (dot_weighted R sizes) ?(shaped_row sT) ?(shaped_row sZ) // mulr_suml mulr_sumr.
  apply: ler_sum => g _; rewrite ZE /target_columns !mxE.
  rewrite le_eqVlt; apply/orP; left; apply/eqP; field.
  by rewrite NN tN uN.
have N0 : 0 < N%:R^-1 :> R by rewrite invr_gt0 ltr0n (samples_gt0 R sizes okP).
rewrite (dotE R (weighted_size sizes sm) sv) invfM mulrA [_ * N%:R^-1]mulrC -mulrA ler_pmul2l //.
have m0 (g : 'I_C) : 0 <= zr (at1 masses g).
  case/and5P: ok => _ _ _ /all_nthP hm _; rewrite -zr0 zr_le.
  by apply: hm; rewrite sm.
rewrite (eq_bigr (fun i => zr (at1 masses (lab i)) * lse E (fun k => Zc k (lab i)))).
  rewrite (sum_groups lab (fun g => zr (at1 masses g) * lse E (fun k => Zc k g))) mulr_suml.
  apply: ler_sum => g _; rewrite (weighted_at R sizes) // -!mulrA.
  by rewrite ler_wpmul2l ?ler0n // ler_wpmul2l // level.
move=> i _; rewrite /group_mass /lse_col; congr (_ * _).
rewrite /lse; congr (ln E _); apply: sum_exp_ext => k.
by rewrite mulmx_onehot.
Qed.
End Upper.
End Sound.
