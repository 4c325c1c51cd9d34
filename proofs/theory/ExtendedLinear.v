(** The extended linear model: three factors W2 W1 H, MSE, no bias, balanced
    (Tirer and Bruna 2022, Section 4; Dang et al. 2023).

    f = |W2 W1 H - Y|^2/(2N) + l3/2 |W2|^2 + l2/2 |W1|^2 + l1/2 |H|^2.
    With q = K^3 n l1 l2 l3 <= 1/16 and x in [1/2, 1) the root of x (1-x)^3 = q, the
    minimum is (1-x)(1+2x)/2; for q >= 1/16 it is 1/2.

    Route: ridge regression eliminates H; the weights are bounded below through the
    contraction 2 theta/tau (U + b)^-1 B, B = W2 W1, U = B B^T/tau; what remains is
    a trace of (U - b)^2 (U + b)^-1 (U + 1)^-1 >= 0. No singular values needed. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Balanced Mse.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** a I + S is invertible for a > 0 and S semidefinite. *)
Lemma shifted_unit (R : rcfType) n (S : 'M[R]_n) (a : R) :
  0 < a -> psd S -> (a%:M + S) \in unitmx.
Proof.
move=> a0 S0; rewrite -row_free_unit -kermx_eq0; apply/eqP/row_matrixP => i.
rewrite row0; apply/eqP; rewrite -sqF_eq0.
have k : row i (kermx (a%:M + S)) *m (a%:M + S) = 0.
  by rewrite -row_mul mulmx_ker row0.
set x := row i _ in k *.
have : frob (x *m (a%:M + S)) x = 0 by rewrite k frob0l.
rewrite mulmxDr mul_mx_scalar frobDl frobZl => /eqP.
rewrite paddr_eq0 ?S0 ?mulr_ge0 ?sqF_ge0 ?ltW //.
by rewrite mulf_eq0 gt_eqF // => /andP[].
Qed.

(** ** Ridge regression: the minimum over H
    |B H - Y|^2/(2N) + l/2 |H|^2 = <D Y, Y>/(2N) + two squares, D = (I + B B^T/(N l))^-1. *)
Section Ridge.
Variables (R : rcfType) (K N d : nat) (l : R) (B : 'M[R]_(K, d)) (Y : 'M[R]_(K, N)).
Hypotheses (N0 : (0 < N)%N) (l0 : 0 < l).
Variable D : 'M[R]_K.
Hypothesis D_inv : D + (N%:R * l)^-1 *: (B *m B^T *m D) = 1%:M.
Variable H : 'M[R]_(d, N).

Lemma ridge_identity :
  (2%:R * N%:R)^-1 * sqF (B *m H - Y) + l / 2%:R * sqF H
  = (2%:R * N%:R)^-1 * frob (D *m Y) Y
    + (2%:R * N%:R)^-1 * sqF (B *m H - Y + D *m Y)
    + l / 2%:R * sqF (H - (N%:R * l)^-1 *: (B^T *m D *m Y)).
Proof.
have lN : l != 0 by rewrite gt_eqF.
have NN : N%:R != 0 :> R by rewrite pnatr_eq0 -lt0n.
have e1 : frob (B *m H) (D *m Y) = frob H (B^T *m D *m Y) by rewrite frob_mulr mulmxA.
have e2 : frob (D *m Y) Y = sqF (D *m Y) + (N%:R * l)^-1 * sqF (B^T *m D *m Y).
  rewrite -{2}[Y]mul1mx -D_inv mulmxDl frobDr; congr (_ + _).
  rewrite -scalemxAl frobZr; congr (_ * _).
  by rewrite frobC -!mulmxA frob_mulr.
rewrite [sqF (_ - Y + _)]sqFD frobBl e1 [sqF (H - _)]sqFB frobZr sqFZ (frobC Y) e2 expr2.
move: (sqF (B *m H - Y)) (sqF (B^T *m D *m Y)) (sqF (D *m Y)) (frob H _) (sqF H).
by move: (N%:R : R) NN => M MN *; field; rewrite lN MN.
Qed.
End Ridge.

Section Extended.
Variables (R : rcfType) (K N n d2 d1 : nat) (lab : 'I_N -> 'I_K) (l3 l2 l1 : R).
Hypotheses (K0 : (0 < K)%N) (n0 : (0 < n)%N) (bal : balanced lab n).
Hypotheses (l30 : 0 < l3) (l20 : 0 < l2) (l10 : 0 < l1).
Local Notation Y := (onehot R lab).
Local Notation Hbar := (class_means lab n).

Definition extended (W2 : 'M[R]_(K, d2)) (W1 : 'M[R]_(d2, d1)) (H : 'M[R]_(d1, N)) : R :=
  mse Y (W2 *m W1 *m H)
  + l3 / 2%:R * sqF W2 + l2 / 2%:R * sqF W1 + l1 / 2%:R * sqF H.

(** q = K^3 n l1 l2 l3 = kappa^3 *)
Definition extended_q : R := K%:R ^+ 3 * n%:R * (l1 * l2 * l3).
Definition extended_value (x : R) : R := (1 - x) * (1 + 2%:R * x) / 2%:R.

Let nR : 0 < n%:R :> R. Proof. by rewrite ltr0n. Qed.
Let KR : 0 < K%:R :> R. Proof. by rewrite ltr0n. Qed.
Let nN : n%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let KN : K%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let NE : N%:R = K%:R * n%:R :> R := balanced_sizeR R bal.
Let N0 : (0 < N)%N. Proof. by rewrite (balanced_size bal) muln_gt0 K0. Qed.
Let NR : 0 < N%:R :> R. Proof. by rewrite ltr0n. Qed.
Let NN : N%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let l1N : l1 != 0. Proof. by rewrite gt_eqF. Qed.
Let l2N : l2 != 0. Proof. by rewrite gt_eqF. Qed.
Let l3N : l3 != 0. Proof. by rewrite gt_eqF. Qed.

(** For q <= 1/16 the equation x (1-x)^3 = q has a root in [1/2, 1). *)
Lemma extended_root q : 0 < q -> q <= 16%:R^-1 ->
  exists x : R, [/\ 2%:R^-1 <= x, x < 1 & x * (1 - x) ^+ 3 = q].
Proof.
move=> q0 q16; pose p : {poly R} := q%:P - 'X * (1 - 'X) ^+ 3.
have pE y : p.[y] = q - y * (1 - y) ^+ 3 by rewrite /p !(hornerE, horner_exp).
have h : p.[2%:R^-1] <= 0 <= p.[1].
  rewrite !pE subrr expr0n mulr0 subr0 (ltW q0) andbT subr_le0.
  by have -> : 2%:R^-1 * (1 - 2%:R^-1) ^+ 3 = 16%:R^-1 :> R by field.
have [|x /andP[x1 x2] /rootP] := poly_ivt _ h.
  by rewrite invf_le1 ?ltr0n // ler1n.
rewrite pE => /eqP; rewrite subr_eq0 => /eqP e; exists x; split=> //.
rewrite lt_neqAle x2 andbT; apply/eqP => x1'.
by move: q0; rewrite e x1' subrr expr0n mulr0 ltxx.
Qed.

Section Bound.
Variable x : R.
Hypotheses (x_ge : 2%:R^-1 <= x) (x_lt : x < 1).
Let x0 : 0 < x. Proof. by apply: lt_le_trans x_ge; rewrite invr_gt0 ltr0n. Qed.
Let y0 : 0 < 1 - x. Proof. by rewrite subr_gt0. Qed.
Let xN : x != 0. Proof. by rewrite gt_eqF. Qed.
Let yN : 1 - x != 0. Proof. by rewrite gt_eqF. Qed.
Let theta : R := x * (1 - x) / K%:R.
Let tau : R := N%:R * l1.
Let b : R := x / (1 - x).
Let theta0 : 0 < theta. Proof. by rewrite !mulr_gt0 // invr_gt0. Qed.
Let tau0 : 0 < tau. Proof. exact: mulr_gt0. Qed.
Let b0 : 0 < b. Proof. exact: divr_gt0. Qed.
Let tauN : tau != 0. Proof. by rewrite gt_eqF. Qed.

Section Point.
Variables (W2 : 'M[R]_(K, d2)) (W1 : 'M[R]_(d2, d1)) (H : 'M[R]_(d1, N)).
Variable B : 'M[R]_(K, d1).
Hypothesis B_def : B = W2 *m W1.
Variable U : 'M[R]_K.
Hypothesis U_def : U = tau^-1 *: (B *m B^T).
Let D := invmx (1%:M + U).
Let F := invmx (b%:M + U).
(** The contraction that bounds the weights, as a dual matrix. *)
Let G := - (2%:R * theta / tau) *: (F *m B).
Let X := (U - b%:M) *m F *m D.
Let M := (1%:M + U) *m (b%:M + U).

Let U_tr : U^T = U. Proof. by rewrite U_def trmxZ trmx_mul trmxK. Qed.
Let U_psd : psd U.
Proof.
rewrite U_def; apply: psdZ; first by rewrite invr_ge0 ltW.
by rewrite -{1}[B]trmxK; exact: psd_gram.
Qed.
Let u1 : 1%:M + U \in unitmx. Proof. exact: (shifted_unit ltr01 U_psd). Qed.
Let ub : b%:M + U \in unitmx. Proof. exact: (shifted_unit b0 U_psd). Qed.
Let D_l : D *m (1%:M + U) = 1%:M. Proof. exact: mulVmx. Qed.
Let F_l : F *m (b%:M + U) = 1%:M. Proof. exact: mulVmx. Qed.
Let D_r : (1%:M + U) *m D = 1%:M. Proof. exact: mulmxV. Qed.
Let F_r : (b%:M + U) *m F = 1%:M. Proof. exact: mulmxV. Qed.
Let F_tr : F^T = F. Proof. by rewrite /F trmx_inv trmxD U_tr tr_scalar_mx. Qed.
Let D_tr : D^T = D. Proof. by rewrite /D trmx_inv trmxD U_tr trmx1. Qed.
(** everything is a function of U *)
Let UF : U *m F = F *m U.
Proof.
have : U *m (b%:M + U) = (b%:M + U) *m U by rewrite mulmxDr mulmxDl scalar_mxC.
move=> e; rewrite -[U *m F]mul1mx -F_l -mulmxA (mulmxA _ U) -e -!mulmxA F_r mulmx1.
by [].
Qed.
Let UD : U *m D = D *m U.
Proof.
have : U *m (1%:M + U) = (1%:M + U) *m U by rewrite mulmxDr mulmxDl mulmx1 mul1mx.
move=> e; rewrite -[U *m D]mul1mx -D_l -mulmxA (mulmxA _ U) -e -!mulmxA D_r mulmx1.
by [].
Qed.
Let FD : F *m D = D *m F.
Proof.
have e : D *m (b%:M + U) = (b%:M + U) *m D by rewrite mulmxDr mulmxDl scalar_mxC UD.
by rewrite -[F *m D]mulmx1 -F_r mulmxA -(mulmxA F) e mulmxA F_l mul1mx.
Qed.
Let BB : B *m B^T = tau *: U. Proof. by rewrite U_def scalerA mulfV // scale1r. Qed.

(** (b + U)^2 - 4 b U = (U - b)^2 *)
Let square : (U - b%:M) *m (U - b%:M) = (b%:M + U) *m (b%:M + U) - (4%:R * b) *: U.
Proof.
rewrite mulmxBl !mulmxBr mulmxDl !mulmxDr !mul_mx_scalar !mul_scalar_mx scale_scalar_mx.
move: U (U *m U) => V VV; apply/matrixP => i j; rewrite !mxE.
by move: (_ *+ _) (V i j) (VV i j) => p q r; ring.
Qed.

(** 1 - 4 b F U F = ((U - b) F)^T ((U - b) F) *)
Let contraction : op_sq_le G (theta ^+ 2 / (b * tau)).
Proof.
have m0 : 0 <= theta ^+ 2 / (b * tau) by apply: ltW; apply: divr_gt0; [apply: exprn_gt0|apply: mulr_gt0].
rewrite -[G]trmxK; apply: (op_sq_le_tr m0); rewrite /op_sq_le trmxK.
have -> : G *m G^T = (4%:R * theta ^+ 2 / tau) *: (F *m U *m F).
  rewrite /G trmxZ trmx_mul F_tr -scalemxAl -scalemxAr scalerA -(mulmxA F B) (mulmxA B) BB.
  rewrite -scalemxAl -scalemxAr scalerA mulmxA; congr (_ *: _).
  by field.
have -> : (theta ^+ 2 / (b * tau))%:M - (4%:R * theta ^+ 2 / tau) *: (F *m U *m F)
    = (theta ^+ 2 / (b * tau)) *: (((U - b%:M) *m F)^T *m ((U - b%:M) *m F)).
  have e : ((U - b%:M) *m F)^T *m ((U - b%:M) *m F) = 1%:M - (4%:R * b) *: (F *m U *m F).
    rewrite trmx_mul F_tr trmxB U_tr tr_scalar_mx mulmxA.
    rewrite -[F *m _ *m (_ - _)]mulmxA square mulmxBr mulmxBl.
    by rewrite mulmxA F_l mul1mx F_r -scalemxAr -scalemxAl.
  rewrite e scalerBr scalemx1 scalerA; congr (_ - _ *: _).
  by field; rewrite tauN gt_eqF.
by apply: psdZ => //; exact: psd_gram.
Qed.

Hypothesis x_q : x * (1 - x) ^+ 3 <= extended_q.

(** (U - b)^2 (U + b)^-1 (U + 1)^-1, with (1 - x)(2x - 1)/2 in front, is what f
    keeps above its value once the squares are dropped. *)
Let scalar_part : (2%:R * K%:R)^-1 * \tr D + 2%:R * theta * \tr (F *m U)
  = extended_value x + (2%:R * x - 1) * (1 - x) / (2%:R * K%:R) * frob (X *m M) X.
Proof.
have -> : frob (X *m M) X = \tr ((U - b%:M) *m (U - b%:M) *m F *m D).
  have XM : X *m M = U - b%:M.
    by rewrite /X /M -mulmxA (mulmxA D) D_l mul1mx -mulmxA F_l mulmx1.
  rewrite XM frob_def /X !trmx_mul D_tr F_tr trmxB U_tr tr_scalar_mx.
  have -> : D *m (F *m (U - b%:M)) = (U - b%:M) *m F *m D.
    rewrite mulmxA -FD mulmxBl !mulmxBr -!mulmxA -UD !mulmxA -UF.
    by rewrite mulmxBl !mul_mx_scalar mul_scalar_mx -!scalemxAl.
  by rewrite !mulmxA.
have bE : b = x / (1 - x) by [].
(* the polynomial identity in U behind it *)
have poly : 2%:R^-1 *: (b%:M + U) + (2%:R * (x * (1 - x))) *: (U *m (1%:M + U))
   = extended_value x *: ((1%:M + U) *m (b%:M + U))
     + ((2%:R * x - 1) * (1 - x) / 2%:R) *: ((U - b%:M) *m (U - b%:M)).
  rewrite square !mulmxDl !mulmxDr !mul1mx !mulmx1 ?mul_scalar_mx ?mul_mx_scalar.
  move: U (U *m U) => V VV; apply/matrixP => i j; rewrite !mxE /extended_value bE.
  by move: (V i j) (VV i j) => r s; case: (i == j); rewrite ?mulr1n ?mulr0n;
    field; exact: yN.
have Vb : D = (b%:M + U) *m (F *m D) by rewrite mulmxA F_r mul1mx.
have V1 : F *m U = U *m (1%:M + U) *m (F *m D).
  by rewrite FD -mulmxA (mulmxA (1%:M + U)) D_r mul1mx UF.
have V2 : (1%:M + U) *m (b%:M + U) *m (F *m D) = 1%:M.
  by rewrite -mulmxA (mulmxA (b%:M + U)) F_r mul1mx D_r.
have := congr1 (fun A => \tr (A *m (F *m D))) poly.
rewrite /= !(mulmxDl (_ *: _)) -!scalemxAl -Vb -V1 V2 !mxtraceD !mxtraceZ mxtrace1 !mulmxA => t.
rewrite /theta -[\tr D](mulKf (_ : 2%:R^-1 != 0)) ?invr_eq0 ?pnatr_eq0 //.
have -> : 2%:R^-1 * \tr D = extended_value x * K%:R
   + (2%:R * x - 1) * (1 - x) / 2%:R * \tr ((U - b%:M) *m (U - b%:M) *m F *m D)
   - 2%:R * (x * (1 - x)) * \tr (F *m U) by rewrite -t addrK.
move: (\tr _) (\tr _) (extended_value x) => p r v.
by move: (K%:R : R) KN => k kN; field.
Qed.

(** U = b I is where the trace term vanishes; it is nonnegative everywhere. *)
Let M_psd : psd M.
Proof.
have -> : M = b%:M + (1 + b) *: U + U^T *m U.
  rewrite /M U_tr mulmxDl !mulmxDr !mul1mx mul_mx_scalar.
  by rewrite scalerDl scale1r !addrA.
apply: psdD; last exact: psd_gram.
apply: psdD; last by apply: psdZ => //; rewrite addr_ge0 ?ler01 // ltW.
by move=> v; rewrite mul_mx_scalar frobZl mulr_ge0 ?sqF_ge0 // ltW.
Qed.

Lemma extended_gap :
  extended W2 W1 H - extended_value x
  = (l3 / 2%:R * sqF W2 + l2 / 2%:R * sqF W1 + frob G (W2 *m W1))
    + (2%:R * N%:R)^-1 * sqF (B *m H - Y + D *m Y)
    + l1 / 2%:R * sqF (H - (N%:R * l1)^-1 *: (B^T *m D *m Y))
    + (2%:R * x - 1) * (1 - x) / (2%:R * K%:R) * frob (X *m M) X.
Proof.
have D_inv : D + (N%:R * l1)^-1 *: (B *m B^T *m D) = 1%:M.
  by rewrite -/tau scalemxAl -U_def -D_r mulmxDl mul1mx.
have ridge := ridge_identity Y N0 l10 D_inv H.
have DY : (2%:R * N%:R)^-1 * frob (D *m Y) Y = (2%:R * K%:R)^-1 * \tr D.
  rewrite frob_mull (balanced_gram R bal) frob_def tr_scalar_mx mul_mx_scalar mxtraceZ NE.
  by move: (\tr D) (K%:R : R) KN (n%:R : R) nN => p k kN c cN; field; rewrite kN cN.
have GB : frob G (W2 *m W1) = - (2%:R * theta * \tr (F *m U)).
  rewrite -B_def /G frobZl frob_def -mulmxA BB -scalemxAr mxtraceZ.
  by move: (\tr _) => p; field.
rewrite DY in ridge; rewrite /extended /mse -B_def.
have -> : forall p q r u v : R, p + q + r + u - v = (p + u) + (q + r) - v by move=> *; ring.
have -> : extended_value x = (2%:R * K%:R)^-1 * \tr D + 2%:R * theta * \tr (F *m U)
     - (2%:R * x - 1) * (1 - x) / (2%:R * K%:R) * frob (X *m M) X.
  by rewrite scalar_part addrK.
rewrite ridge B_def GB.
move: ((2%:R * K%:R)^-1 * \tr D) (2%:R * theta * \tr (F *m U)) ((2%:R * x - 1) * _ / _ * _).
move: (l3 / _ * _) (l2 / _ * _) ((_)^-1 * sqF _) (l1 / _ * sqF _) => p1 p2 p3 p4 p5 p6 p7.
by ring.
Qed.

Let op_bound : op_sq_le G (l3 * l2).
Proof.
have le : theta ^+ 2 / (b * tau) <= l3 * l2.
  have e : theta ^+ 2 / (b * tau) = x * (1 - x) ^+ 3 / (K%:R ^+ 3 * n%:R * l1).
    rewrite /theta /b /tau NE; move: (K%:R : R) KN (n%:R : R) nN => k kN c cN.
    by field; rewrite xN yN kN cN l1N.
  rewrite e ler_pdivr_mulr ?mulr_gt0 ?exprn_gt0 //; apply: le_trans x_q _.
  by rewrite /extended_q le_eqVlt; apply/orP; left; apply/eqP; ring.
move=> v; apply: le_trans (contraction v) _.
by rewrite !op_form ler_add2r ler_wpmul2r ?sqF_ge0.
Qed.

Lemma extended_lower_at : extended_value x <= extended W2 W1 H.
Proof.
rewrite -subr_ge0 extended_gap.
apply: addr_ge0; last first.
  apply: mulr_ge0; last exact: psd_form.
  apply: mulr_ge0; last by rewrite invr_ge0 mulr_ge0 // ?ler0n // ltW.
  apply: mulr_ge0; last exact: ltW.
  by rewrite subr_ge0 mulrC -ler_pdivr_mulr ?ltr0n // div1r.
apply: addr_ge0; last by apply: scale_sqF_ge0; rewrite divr_ge0 ?ler0n // ltW.
apply: addr_ge0; last by apply: scale_sqF_ge0; rewrite invr_ge0 mulr_ge0 ?ler0n.
exact: (regulariser_bound l30 l20 W2 W1 op_bound).
Qed.
(** Equality, for x > 1/2: U = b I, and each square vanishes. *)
Lemma extended_zero_terms : 2%:R^-1 < x -> extended W2 W1 H = extended_value x ->
  [/\ U = b%:M, W2 = - l3^-1 *: (G *m W1^T), (l3 * l2) *: W1 = W1 *m G^T *m G
    & H = (N%:R * l1)^-1 *: (B^T *m D *m Y)].
Proof.
move=> x2 eq; have := extended_gap; rewrite eq subrr => /esym/eqP.
have x20 : 0 < 2%:R * x - 1 by rewrite subr_gt0 mulrC -ltr_pdivr_mulr ?ltr0n // div1r.
have k0 : 0 < (2%:R * x - 1) * (1 - x) / (2%:R * K%:R).
  by rewrite divr_gt0 ?mulr_gt0 ?ltr0n.
have i0 : 0 < (2%:R * N%:R)^-1 :> R by rewrite invr_gt0 mulr_gt0 ?ltr0n.
have j0 : 0 < l1 / 2%:R by rewrite divr_gt0 ?ltr0n.
have r0 := regulariser_bound l30 l20 W2 W1 op_bound.
have s1 := scale_sqF_ge0 (B *m H - Y + D *m Y) (ltW i0).
have s2 := scale_sqF_ge0 (H - (N%:R * l1)^-1 *: (B^T *m D *m Y)) (ltW j0).
have s3 : 0 <= (2%:R * x - 1) * (1 - x) / (2%:R * K%:R) * frob (X *m M) X.
  by apply: mulr_ge0; [exact: ltW|exact: psd_form].
rewrite paddr_eq0 ?(addr_ge0 (addr_ge0 r0 s1)) // paddr_eq0 ?(addr_ge0 r0) // paddr_eq0 //.
rewrite (scale_sqF_eq0 _ j0) subr_eq0 [_ * frob (X *m M) X == 0]mulf_eq0 (gt_eqF k0) /= -!andbA.
case/and4P=> /eqP /(regulariser_bound_eq l30 l20 W2 W1 op_bound)[e1 e2] _ /eqP e3 /eqP q0.
split=> //; apply/eqP; rewrite -subr_eq0; apply/eqP.
have Mt : M^T = M.
  have -> : M = b%:M + (1 + b) *: U + U *m U.
    by rewrite /M mulmxDl !mulmxDr !mul1mx mul_mx_scalar scalerDl scale1r !addrA.
  by rewrite !trmxD trmxZ trmx_mul U_tr tr_scalar_mx.
have := psd_kernel Mt M_psd q0.
by rewrite /X /M -mulmxA (mulmxA D) D_l mul1mx -mulmxA F_l mulmx1.
Qed.
End Point.

(** The minimiser: layers x/(..) orthogonal frames of equal energy. *)
Definition extended_collapse (W2 : 'M[R]_(K, d2)) (W1 : 'M[R]_(d2, d1)) (H : 'M[R]_(d1, N)) : Prop :=
  [/\ H = Hbar H *m Y,
      (Hbar H)^T *m Hbar H = (theta / (l1 * n%:R))%:M,
      (W1 *m Hbar H)^T *m (W1 *m Hbar H) = (theta ^+ 2 / (l1 * l2 * n%:R))%:M,
      W1 = (n%:R * l1 / theta) *: (W1 *m Hbar H *m (Hbar H)^T)
    & W2 = (x * (l1 * l2 * n%:R) / theta ^+ 2) *: (W1 *m Hbar H)^T].

Hypothesis x_root : x * (1 - x) ^+ 3 = extended_q.

(** Its value is the lower bound. *)
Lemma extended_collapse_value W2 W1 H : extended_collapse W2 W1 H ->
  extended W2 W1 H = extended_value x.
Proof.
case=> e1 e2 e3 e4 e5; set V := W1 *m Hbar H in e3 e4 e5.
have thN : theta != 0 by rewrite gt_eqF.
have trI (a : R) : \tr (a%:M : 'M[R]_K) = a * K%:R by rewrite mxtrace_scalar mulr_natr.
have gram m' (A : 'M[R]_(m', K)) : sqF A = \tr (A^T *m A).
  by rewrite -sqF_tr /sqF frob_def trmxK.
have fit : W2 *m W1 *m H = x *: Y.
  rewrite e1 -mulmxA (mulmxA W1) -/V mulmxA e5 -scalemxAl e3 scale_scalar_mx mul_scalar_mx.
  by congr (_ *: _); field; rewrite thN nN l1N l2N.
have nH : sqF H = n%:R * (theta / (l1 * n%:R) * K%:R).
  rewrite {1}e1 /sqF frob_mull -mulmxA (balanced_gram R bal) mul_mx_scalar frobZr.
  by rewrite -/(sqF _) gram e2 trI.
have nV : sqF V = theta ^+ 2 / (l1 * l2 * n%:R) * K%:R by rewrite gram e3 trI.
have nW2 : sqF W2 = (x * (l1 * l2 * n%:R) / theta ^+ 2) ^+ 2 * (theta ^+ 2 / (l1 * l2 * n%:R) * K%:R).
  by rewrite e5 sqFZ sqF_tr nV.
have nW1 : sqF W1 = (n%:R * l1 / theta) ^+ 2 * (theta / (l1 * n%:R) * (theta ^+ 2 / (l1 * l2 * n%:R) * K%:R)).
  rewrite e4 sqFZ; congr (_ * _).
  by rewrite /sqF frob_mull trmxK -mulmxA e2 mul_mx_scalar frobZr -/(sqF _) nV.
have l3E : l3 = x * (1 - x) ^+ 3 / (K%:R ^+ 3 * n%:R * (l1 * l2)).
  rewrite x_root /extended_q; move: (K%:R : R) KN (n%:R : R) nN => k kN c cN.
  by field; rewrite l1N l2N kN cN.
rewrite /extended /mse fit.
have -> : x *: Y - Y = (x - 1) *: Y by rewrite scalerBl scale1r.
rewrite sqFZ (sqF_onehot R bal) nW2 nW1 nH [l3 in LHS]l3E /extended_value /theta NE.
move: (K%:R : R) KN (n%:R : R) nN => k kN c cN.
by field; rewrite xN yN l1N l2N kN cN.
Qed.
(** Below the threshold every minimiser is a collapse. *)
Lemma extended_value_collapse W2 W1 H : 2%:R^-1 < x ->
  extended W2 W1 H = extended_value x -> extended_collapse W2 W1 H.
Proof.
move=> x2 eq; have le : x * (1 - x) ^+ 3 <= extended_q by rewrite x_root.
have [eU e2 e3 e4] := extended_zero_terms (erefl (W2 *m W1)) (erefl _) le x2 eq.
set B := W2 *m W1 in eU e2 e3 e4.
have thN : theta != 0 by rewrite gt_eqF.
have bN : b != 0 by rewrite gt_eqF.
have BB : B *m B^T = (tau * b)%:M.
  by rewrite -scale_scalar_mx -eU scalerA mulfV // scale1r.
have D_E : invmx (1%:M + tau^-1 *: (B *m B^T)) = (1 - x)%:M.
  rewrite eU -[1%:M]/(1%:M) -raddfD /= invmx_scalar; congr (_%:M).
  by rewrite /b; field; rewrite yN; have -> : 1 - x + x = 1 :> R by [ring]; rewrite oner_eq0.
have F_E : invmx (b%:M + tau^-1 *: (B *m B^T)) = (2%:R * b)^-1%:M.
  by rewrite eU -raddfD /= invmx_scalar; congr (_^-1%:M); ring.
rewrite D_E in e4; rewrite F_E in e2 e3.
have G_E : - (2%:R * theta / tau) *: ((2%:R * b)^-1%:M *m B) = - (theta / (tau * b)) *: B.
  by rewrite mul_scalar_mx scalerA; congr (_ *: _); field; rewrite tauN bN.
rewrite G_E in e2 e3.
pose M0 : 'M[R]_(d1, K) := ((1 - x) / tau) *: B^T.
have HM : H = M0 *m Y.
  rewrite e4 mul_mx_scalar -!scalemxAl scalerA; congr (_ *: _).
  by rewrite /tau mulrC.
have hb : Hbar H = M0 by rewrite HM (class_means_onehot n0 bal).
have th3 : theta ^+ 3 = l1 * l2 * l3 * n%:R * x ^+ 2.
  have -> : theta ^+ 3 = x ^+ 2 * (x * (1 - x) ^+ 3) / K%:R ^+ 3.
    by rewrite /theta; move: (K%:R : R) KN => k kN; field.
  by rewrite x_root /extended_q; move: (K%:R : R) KN => k kN; field.
have l3E : l3 = theta ^+ 3 / (l1 * l2 * n%:R * x ^+ 2).
  by rewrite th3; move: (n%:R : R) nN => p pN; field; rewrite l1N l2N pN xN.
have V_E : (W1 *m M0)^T = ((1 - x) / tau) *: (B *m W1^T).
  by rewrite /M0 -scalemxAr trmxZ trmx_mul trmxK.
have W2E : W2 = (x * (l1 * l2 * n%:R) / theta ^+ 2) *: (W1 *m M0)^T.
  rewrite V_E scalerA {1}e2 -scalemxAl scalerA; congr (_ *: _).
  rewrite l3E /b; move: (n%:R : R) nN => p pN.
  by move: theta thN => h hN; field; rewrite l1N l2N pN xN yN tauN hN.
rewrite /extended_collapse hb; split=> //.
- rewrite /M0 trmxZ trmxK -scalemxAl -scalemxAr BB !scale_scalar_mx; congr (_%:M).
  rewrite /theta /tau /b NE; move: (K%:R : R) KN (n%:R : R) nN => k kN p pN.
  by field; rewrite kN pN l1N yN.
- have : W2 *m (W1 *m M0) = x%:M.
    rewrite mulmxA -/B /M0 -scalemxAr BB scale_scalar_mx; congr (_%:M).
    by rewrite /b; field; rewrite tauN yN.
  rewrite {1}W2E -scalemxAl => h; apply: (scalerI (_ : x * (l1 * l2 * n%:R) / theta ^+ 2 != 0)).
    by rewrite !mulf_neq0 ?invr_eq0 ?expf_neq0.
  rewrite h scale_scalar_mx; congr (_%:M); move: (n%:R : R) nN => p pN.
  by move: theta thN => g gN; field; rewrite gN l1N l2N pN.
have e5 : W1 *m B^T *m B = (l3 * l2 * (tau * b / theta) ^+ 2) *: W1.
  move: e3; rewrite trmxZ -!scalemxAr -!scalemxAl scalerA => h.
  rewrite mulrC -scalerA h scalerA -[LHS]scale1r; congr (_ *: _).
  by move: theta thN => g gN; field; rewrite gN tauN bN.
rewrite /M0 trmxZ trmxK -!scalemxAr -scalemxAl e5 !scalerA -[LHS]scale1r; congr (_ *: _).
rewrite l3E /b; move: (n%:R : R) nN => p pN.
by move: theta thN => g gN; field; rewrite gN l1N l2N pN xN yN tauN.
Qed.
End Bound.

(** ** q <= 1/16: the minimum is (1-x)(1+2x)/2, x in [1/2, 1) with x (1-x)^3 = q. *)
Theorem extended_linear_lower x W2 W1 H : 2%:R^-1 <= x -> x < 1 ->
  x * (1 - x) ^+ 3 = extended_q -> extended_value x <= extended W2 W1 H.
Proof.
move=> x1 x2 e; have le : x * (1 - x) ^+ 3 <= extended_q by rewrite e.
exact: (extended_lower_at x1 x2 H (erefl (W2 *m W1)) (erefl _) le).
Qed.

Theorem extended_linear_root : extended_q <= 16%:R^-1 ->
  exists x : R, [/\ 2%:R^-1 <= x, x < 1 & x * (1 - x) ^+ 3 = extended_q].
Proof. by apply: extended_root; rewrite /extended_q !mulr_gt0 ?exprn_gt0. Qed.

(** Attained by orthogonal frames in every layer, all widths at least K. *)
Theorem extended_linear_attained x : (K <= d1)%N -> (K <= d2)%N ->
  2%:R^-1 <= x -> x < 1 -> x * (1 - x) ^+ 3 = extended_q ->
  exists W2 W1 H, extended W2 W1 H = extended_value x /\ extended_collapse x W2 W1 H.
Proof.
move=> Kd1 Kd2 x1 x2 e; have x0 : 0 < x by apply: lt_le_trans x1; rewrite invr_gt0 ltr0n.
have y0 : 0 < 1 - x by rewrite subr_gt0.
pose th := x * (1 - x) / K%:R; have th0 : 0 < th by rewrite !mulr_gt0 // invr_gt0.
have thN : th != 0 by rewrite gt_eqF.
have frame d' (r : R) : (K <= d')%N -> 0 <= r -> exists A : 'M[R]_(d', K), A^T *m A = r%:M.
  move=> Kd' r0; apply: gram_factor; first exact: tr_scalar_mx.
    by move=> v; rewrite mul_mx_scalar frobZl mulr_ge0 ?sqF_ge0.
  exact: leq_trans (rank_leq_row _) Kd'.
have [Hb HbE] := frame d1 (th / (l1 * n%:R)) Kd1 (ltW (divr_gt0 th0 (mulr_gt0 l10 nR))).
have [V VE] := frame d2 (th ^+ 2 / (l1 * l2 * n%:R)) Kd2
  (ltW (divr_gt0 (exprn_gt0 2 th0) (mulr_gt0 (mulr_gt0 l10 l20) nR))).
pose W1 : 'M[R]_(d2, d1) := (n%:R * l1 / th) *: (V *m Hb^T).
have W1H : W1 *m Hb = V.
  rewrite /W1 -scalemxAl -mulmxA HbE mul_mx_scalar scalerA -[RHS]scale1r; congr (_ *: _).
  by field; rewrite thN nN l1N.
have c : extended_collapse x ((x * (l1 * l2 * n%:R) / th ^+ 2) *: V^T) W1 (Hb *m Y).
  by rewrite /extended_collapse (class_means_onehot n0 bal) W1H.
by do 3 eexists; split; [exact: (extended_collapse_value x1 x2 e c)|exact: c].
Qed.

(** For q < 1/16 the minimisers are exactly the collapsed points. *)
Theorem extended_linear_iff x W2 W1 H : 2%:R^-1 < x -> x < 1 ->
  x * (1 - x) ^+ 3 = extended_q ->
  extended W2 W1 H = extended_value x <-> extended_collapse x W2 W1 H.
Proof.
move=> x2 x1 e; split; first exact: (extended_value_collapse (ltW x2) x1 e x2).
exact: (extended_collapse_value (ltW x2) x1 e).
Qed.

(** ** q >= 1/16: the minimum is 1/2, attained at zero. *)
Theorem extended_linear_zero W2 W1 H : 16%:R^-1 <= extended_q -> 1 / 2%:R <= extended W2 W1 H.
Proof.
move=> q16; have h1 : 2%:R^-1 < 1 :> R by rewrite invf_lt1 ?ltr0n // ltr1n.
have le : 2%:R^-1 * (1 - 2%:R^-1) ^+ 3 <= extended_q.
  by apply: le_trans q16; rewrite le_eqVlt; apply/orP; left; apply/eqP; field.
have := extended_lower_at (lexx _) h1 H (erefl (W2 *m W1)) (erefl _) le.
by congr (_ <= _); rewrite /extended_value; field.
Qed.
Lemma extended_at_zero : extended 0 0 0 = 1 / 2%:R.
Proof.
rewrite /extended /mse !mul0mx !sqF0 !mulr0 !addr0 sub0r sqFN (sqF_onehot R bal).
by move: (N%:R : R) NN => p pN; field.
Qed.
End Extended.
