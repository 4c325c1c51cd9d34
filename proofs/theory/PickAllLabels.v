(** Multi-label learning with the pick-all-labels loss (Li et al., ICML 2024):
    (1/N) sum_i (m_i lse z_i - <1_{S_i}, z_i>), S_i the tag set of sample i, m_i = |S_i|,
    balanced within each multiplicity: q_m samples for every tag set of m tags.

    Margins a_m = s gamma_m with gamma_m = K/(m e^{a_m} + K - m) and s >= 0 such that
    x = sum_m gamma_m^2 q_m C(K-2, m-1) = (N mu)^2 (or s = 0 and x <= (N mu)^2).  Then
    Z* = P T diag(a), the dual matrix is -(1/N) P T diag(gamma), and the minimisers are
    W W^T = N lh s P (a simplex ETF) and h_i = gamma_{m_i}/(N lh) sum_{k in S_i} w_k. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Exponential Softmax TagSets.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** ** Counting tag sets *)

(** m-sets that contain k and not l: C(K-2, m-1). *)
Lemma card_tag_sets K (k l : 'I_K) m : (0 < m)%N -> k != l ->
  #|[set A : {set 'I_K} | [&& k \in A, l \notin A & #|A| == m]]| = 'C(K - 2, m.-1).
Proof.
move=> m0 kl; pose B := ~: [set k; l].
have cB : #|B| = (K - 2)%N by rewrite cardsCs setCK cards2 kl card_ord.
rewrite -cB -cards_draws -[RHS](card_in_imset (f := fun A => k |: A)); last first.
  move=> A1 A2; rewrite !inE => /andP[s1 _] /andP[s2 _] e.
  have nk (A : {set 'I_K}) : A \subset B -> k \notin A.
    by move=> s; apply/negP => /(subsetP s); rewrite !inE eqxx.
  by rewrite -(setU1K (nk _ s1)) e setU1K // nk.
apply: eq_card => A; rewrite inE; apply/and3P/imsetP => [[kA lA /eqP cA]|[A']].
  exists (A :\ k); last by rewrite setD1K.
  rewrite !inE; apply/andP; split.
    apply/subsetP => j; rewrite !inE => /andP[jk jA]; rewrite (negbTE jk) /=.
    by apply: contraNneq lA => <-.
  by have := cardsD1 k A; rewrite kA cA => ->.
rewrite !inE => /andP[sA /eqP cA] ->.
have nk : k \notin A' by apply/negP => /(subsetP sA); rewrite !inE eqxx.
have nl : l \notin A' by apply/negP => /(subsetP sA); rewrite !inE eqxx orbT.
rewrite !inE eqxx eq_sym (negbTE kl) (negbTE nl); split=> //.
by rewrite cardsU1 nk cA add1n prednK.
Qed.

(** A symmetric matrix whose diagonal exceeds the rest of its row by x is x I plus a
    multiple of J, so P S P = x P. *)
Lemma ctr_equivariant (R : rcfType) K (S : 'M[R]_K) x : (0 < K)%N -> S^T = S ->
  (forall k l, k != l -> S k k - S k l = x) -> ctr K *m S *m ctr K = x *: ctr K.
Proof.
move=> K0 St h; pose k0 := Ordinal K0.
have dg k : S k k = S k0 k0.
  have [->//|kk] := eqVneq k k0.
  have e1 := h _ _ kk; have e2 := h k0 k; rewrite eq_sym in e2.
  have st : S k k0 = S k0 k by rewrite -{1}St mxE.
  by rewrite -(subrK (S k k0) (S k k)) e1 st -(e2 kk) subrK.
have -> : S = x%:M + (K%:R * (S k0 k0 - x)) *: avg K.
  apply/matrixP => k l; rewrite [RHS]mxE [x%:M k l]mxE [(_ *: avg K) k l]mxE avgE.
  rewrite mulrAC mulfV ?mul1r ?pnatr_eq0 -?lt0n //; have [<-|kl] := eqVneq k l.
    by rewrite dg mulr1n addrC subrK.
  by rewrite mulr0n add0r -(h _ _ kl) dg opprB addrC subrK.
rewrite mulmxDr mulmxDl mul_mx_scalar -scalemxAl ctrM // -scalemxAr -scalemxAl ctr_avg //.
by rewrite mul0mx scaler0 addr0.
Qed.

Section PickAllLabels.
Variables (R : rcfType) (E : exponential R) (K N d : nat) (S : 'I_N -> {set 'I_K}).
Variables (q : nat -> nat) (lw lh : R).
Hypotheses (K2 : (1 < K)%N) (N0 : (0 < N)%N) (lw0 : 0 < lw) (lh0 : 0 < lh).
Hypothesis S0 : forall i, (0 < #|S i|)%N.
(** q_m samples for every tag set of m tags. *)
Hypothesis bal : forall A : {set 'I_K}, A != set0 -> #|[pred i | S i == A]| = q #|A|.
Local Notation T := (tags R S).
Local Notation P := (ctr K).
Local Notation cnt := (tag_count R S).
Implicit Types (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_K).

(** The pick-all-labels loss. *)
Definition pick_all_labels : 'M[R]_(K, N) -> R := softmax_loss E cnt T.

Let K0 : (0 < K)%N. Proof. exact: ltnW. Qed.
Let NR : 0 < N%:R :> R. Proof. by rewrite ltr0n. Qed.
Let NN : N%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let KN : K%:R != 0 :> R. Proof. by rewrite pnatr_eq0 -lt0n. Qed.
Let lwN : lw != 0. Proof. by rewrite gt_eqF. Qed.
Let lhN : lh != 0. Proof. by rewrite gt_eqF. Qed.
Let w0 i : 0 < cnt i. Proof. by rewrite ltr0n. Qed.

(** Sums over samples as sums over multiplicities. *)
Lemma sum_tag_sets (F : {set 'I_K} -> R) :
  \sum_i F (S i) = \sum_(A : {set 'I_K} | A != set0) (q #|A|)%:R * F A.
Proof.
rewrite (partition_big S (fun A => A != set0)) /= => [|i _]; last first.
  by rewrite -card_gt0.
apply: eq_bigr => A A0; rewrite (eq_bigr (fun=> F A)) => [|i /eqP -> //].
by rewrite sumr_const mulr_natl -(bal A0).
Qed.
Lemma sum_multiplicities (F : nat -> {set 'I_K} -> R) :
  \sum_i F #|S i| (S i)
  = \sum_(m < K.+1 | (0 < m)%N) (q m)%:R * \sum_(A : {set 'I_K} | #|A| == m) F m A.
Proof.
rewrite (sum_tag_sets (fun A => F #|A| A)).
have le (A : {set 'I_K}) : (#|A| < K.+1)%N by rewrite ltnS -[X in (_ <= X)%N]card_ord max_card.
rewrite (partition_big (fun A : {set 'I_K} => Ordinal (le A)) (fun m => (0 < m)%N)) /= => [|A]; last first.
  by rewrite -card_gt0.
apply: eq_bigr => m m0; rewrite mulr_sumr; apply: eq_big => [A|A /andP[_ /eqP <-]] //.
rewrite -card_gt0; apply/andP/eqP => [[_ /eqP <-] //|e]; split; first by rewrite e.
by apply/eqP/val_inj.
Qed.

(** sum_i g_i P 1_{S_i} 1_{S_i}^T P = (sum_m g_m q_m C(K-2, m-1)) P *)
Definition tag_energy (g : nat -> R) : R :=
  \sum_(m < K.+1 | (0 < m)%N) g m * (q m)%:R * ('C(K - 2, m.-1))%:R.
Lemma tag_gram (g : nat -> R) :
  P *m (T *m diag_mx (\row_i g #|S i|) *m T^T) *m P = tag_energy g *: P.
Proof.
apply: ctr_equivariant => //.
  by rewrite !trmx_mul trmxK tr_diag_mx mulmxA.
have ent k l : (T *m diag_mx (\row_i g #|S i|) *m T^T) k l
    = \sum_i g #|S i| * ((k \in S i) && (l \in S i))%:R.
  rewrite mxE; apply: eq_bigr => i _; rewrite mul_mx_diag !mxE mulrAC -natrM mulnb.
  by rewrite mulrC.
move=> k l kl; rewrite !ent -sumrB /tag_energy.
rewrite (eq_bigr (fun i => g #|S i| * ((k \in S i) && (l \notin S i))%:R)) => [|i _]; last first.
  by rewrite -mulrBr andbb; case: (k \in S i); case: (l \in S i); rewrite /= ?subrr ?subr0.
rewrite (sum_multiplicities (fun m A => g m * ((k \in A) && (l \notin A))%:R)).
apply: eq_bigr => m m0; rewrite -mulr_sumr mulrCA mulrA; congr (_ * _).
rewrite -(@card_tag_sets K k l m) // -sum1_card natr_sum.
rewrite [RHS]big_mkcond [LHS]big_mkcond; apply: eq_bigr => A _; rewrite inE.
by case: (k \in A); case: (l \in A); case: (#|A| == m).
Qed.

(** sum_i g_i 1_{S_i} is a multiple of 1: every class has as many tags. *)
Lemma tag_ones (g : nat -> R) : P *m (T *m diag_mx (\row_i g #|S i|) *m (ones N)^T) = 0.
Proof.
pose M := T *m diag_mx (\row_i g #|S i|) *m (ones N)^T.
have ent k : M k 0 = \sum_i g #|S i| * (k \in S i)%:R.
  by rewrite /M mxE; apply: eq_bigr => i _; rewrite mul_mx_diag !mxE mulr1 mulrC.
have eqk k l : M k 0 = M l 0.
  have [->//|kl] := eqVneq k l.
  have side u v : u != v -> \sum_i g #|S i| * (u \in S i)%:R
     = tag_energy g + \sum_i g #|S i| * ((u \in S i) && (v \in S i))%:R.
    move=> uv; have -> : tag_energy g = \sum_i g #|S i| * ((u \in S i) && (v \notin S i))%:R.
      rewrite (sum_multiplicities (fun m A => g m * ((u \in A) && (v \notin A))%:R)).
      apply: eq_bigr => m m0; rewrite -mulr_sumr mulrCA mulrA; congr (_ * _).
      rewrite -(@card_tag_sets K u v m) // -sum1_card natr_sum.
      rewrite [LHS]big_mkcond [RHS]big_mkcond; apply: eq_bigr => A _; rewrite inE.
      by case: (u \in A); case: (v \in A); case: (#|A| == m).
    rewrite -big_split; apply: eq_bigr => i _ /=; rewrite -mulrDr.
    by case: (u \in S i); case: (v \in S i); rewrite /= ?addr0 ?add0r.
  rewrite !ent (side _ _ kl) (side l k); last by rewrite eq_sym.
  by congr (_ + _); apply: eq_bigr => i _; rewrite andbC.
have -> : T *m diag_mx (\row_i g #|S i|) *m (ones N)^T = M (Ordinal K0) 0 *: (ones K)^T.
  by apply/matrixP => k j; rewrite ord1 -/M (eqk k (Ordinal K0)) !mxE mulr1.
by rewrite -scalemxAr ctr_ones // scaler0.
Qed.

(** ** The certificate, for margins a_m and scale s *)
Section Margins.
Variables (a : nat -> R) (s : R).
(** gamma_m *)
Definition pal_gamma m : R := tag_slope K E m%:R (a m).
(** x = sum_m gamma_m^2 q_m C(K-2, m-1) *)
Definition pal_energy : R := tag_energy (fun m => pal_gamma m ^+ 2).
Local Notation gam := pal_gamma.
Local Notation x := pal_energy.
(** a_m = s gamma_m, and either s > 0 with x = (N mu)^2, or s = 0 with x <= (N mu)^2. *)
Definition pal_margins : Prop :=
  [/\ 0 <= s, forall i, a #|S i| = s * gam #|S i|,
      x <= N%:R ^+ 2 * (lw * lh) & s = 0 \/ x = N%:R ^+ 2 * (lw * lh)].
Hypothesis margins : pal_margins.

Definition pal_value : R :=
  N%:R^-1 * (\sum_(m < K.+1 | (0 < m)%N) (q m)%:R *
      ('C(K, m)%:R * (m%:R * (ln E (tag_mass K E m%:R (a m)) - a m))))
  + s * x * (K%:R - 1) / N%:R.

(** W is a simplex ETF, features are scaled sums of their tags' rows. *)
Definition pal_collapse W H : Prop :=
  W *m W^T = (N%:R * lh * s) *: P /\
  H = (N%:R * lh)^-1 *: (W^T *m T *m diag_mx (\row_i gam #|S i|)).

Let D := diag_mx (\row_i gam #|S i|).
Let B : 'M[R]_(K, N) := P *m T *m D.
Let Zs : 'M[R]_(K, N) := s *: B.
Let G : 'M[R]_(K, N) := - N%:R^-1 *: B.
Let s0 : 0 <= s. Proof. by case: margins. Qed.
Let slack : s = 0 \/ x = N%:R ^+ 2 * (lw * lh). Proof. by case: margins. Qed.

Let ZsE : Zs = scaled_tags S (fun i => a #|S i|).
Proof.
have [_ aE _ _] := margins; rewrite (scaled_tags_ext S aE) scaled_tags_scale.
by rewrite scaled_tagsE.
Qed.
Let PB : P *m B = B. Proof. by rewrite /B !mulmxA ctrM. Qed.
Let PG : P *m G = G. Proof. by rewrite /G -scalemxAr PB. Qed.
Let DD : D *m D^T = diag_mx (\row_i (gam #|S i|) ^+ 2).
Proof.
rewrite tr_diag_mx mulmx_diag; congr diag_mx.
by apply/rowP => i; rewrite !mxE expr2.
Qed.
Let BT : B *m (T *m D)^T *m P = x *: P.
Proof.
by rewrite /pal_energy -tag_gram /= -DD trmx_mul /B !mulmxA.
Qed.
Let BB : B *m B^T = x *: P.
Proof. by rewrite /B -(mulmxA P) trmx_mul ctr_tr (mulmxA P) mulmxA BT. Qed.
Let B1 : B *m (ones N)^T = 0.
Proof. by have := tag_ones gam; rewrite /B /D !mulmxA. Qed.
Let x0 : 0 <= x.
Proof.
apply: sumr_ge0 => m _; apply: mulr_ge0 (ler0n _ _).
by apply: mulr_ge0 (ler0n _ _); exact: sqr_ge0.
Qed.
Let m0 : 0 <= lw * lh. Proof. by rewrite mulr_ge0 // ltW. Qed.

Let grad : G = softmax_grad E cnt T Zs.
Proof.
rewrite ZsE (tag_grad K0 E (fun i => a #|S i|) S0 (fun=> erefl _)) /G.
by rewrite scaled_tagsE.
Qed.

Let opG : op_sq_le G (lw * lh).
Proof.
have y0 : 0 <= x / N%:R ^+ 2 by rewrite divr_ge0 ?exprn_ge0 // ltW.
have le : x / N%:R ^+ 2 <= lw * lh.
  by rewrite ler_pdivr_mulr ?exprn_gt0 // mulrC; case: margins.
have GG : G *m G^T = (x / N%:R ^+ 2) *: P.
  rewrite /G trmxZ -scalemxAl -scalemxAr BB !scalerA; congr (_ *: _).
  by field.
move=> v; apply: le_trans (op_sq_le_proj y0 (ctr_tr R K) (ctrM R K0) GG v) _.
by rewrite !op_form ler_add2r ler_wpmul2r ?sqF_ge0.
Qed.

Lemma pal_certificate m : (forall lb, m = RegularizedBias lb -> 0 < lb) ->
  certificate pick_all_labels lw lh m Zs 0 G.
Proof.
move=> mpos; split=> //; first by rewrite grad; exact: softmax_subgradient.
have G1 : G *m (ones N)^T = 0 by rewrite /G -scalemxAl B1 scaler0.
case: m mpos => [||lb] // mp; split; last by rewrite G1 scaler0.
exact: mp.
Qed.

Lemma pal_dual_value m : dual_value pick_all_labels m Zs 0 G = pal_value.
Proof.
rewrite /dual_value sqF0 mulr0 subr0 /pick_all_labels ZsE.
rewrite (tag_loss K0 E (fun i => a #|S i|) (fun=> erefl _)) -ZsE.
rewrite (sum_multiplicities (fun m _ => m%:R * (ln E (tag_mass K E m%:R (a m)) - a m))).
rewrite /pal_value; congr (_ * _ + _).
  apply: eq_bigr => j _; congr (_ * _); rewrite sumr_const -[LHS]mulr_natl; congr (_%:R * _).
  have := card_draws (ordinal_finType K) j; rewrite card_ord => <-.
  by apply: eq_card => A; rewrite inE.
rewrite /G /Zs frobZl frobZr frob_def BB mxtraceZ tr_ctr //.
by field.
Qed.

Section Mode.
Variable m : bias_mode R.
Hypothesis mpos : forall lb, m = RegularizedBias lb -> 0 < lb.
Let cert := pal_certificate mpos.
Local Notation f := (ufm pick_all_labels lw lh m).

(** b is a constant vector (zero unless the bias is free). *)
Definition pal_bias b : Prop := if m is FreeBias then P *m b = 0 else b = 0.
Let pal_bias_ctr b : pal_bias b -> P *m b = 0.
Proof. by rewrite /pal_bias; case: (m) => [->|//|? ->]; rewrite mulmx0. Qed.

(** The value is a lower bound at every d, for every bias mode ... *)
Theorem pick_all_labels_lower W H b : bias_allowed m b -> pal_value <= f W H b.
Proof. by move=> ok; rewrite -(pal_dual_value m); exact: (collapse_lower lw0 lh0 cert W H ok). Qed.

(** ... attained exactly at the collapsed points ... *)
Theorem pick_all_labels_iff W H b : bias_allowed m b ->
  f W H b = pal_value <-> pal_collapse W H /\ pal_bias b.
Proof.
move=> ok; rewrite -(pal_dual_value m) (collapse_iff lw0 lh0 cert W H ok).
have PZs : P *m Zs = Zs by rewrite /Zs -scalemxAr PB.
have NlN : N%:R * lh != 0 by rewrite mulf_neq0.
split=> [cz|[[eW eH] eb]]; last first.
  have aW : avg K *m W = 0.
    apply/eqP; rewrite -trmx_eq0 -gram_eq0 trmxK trmx_mul avg_tr mulmxA -(mulmxA (avg K)) eW.
    by rewrite -scalemxAr avg_ctr // scaler0 mul0mx.
  have PW : P *m W = W by rewrite ctr_def mulmxBl mul1mx aW subr0.
  have WP : W^T *m P = W^T by rewrite -{1}ctr_tr -trmx_mul PW.
  have HE : H = - lh^-1 *: (W^T *m G).
    rewrite eH /G -scalemxAr scalerA /B !mulmxA WP; congr (_ *: _).
    by field; rewrite lhN NN.
  have fit : W *m H = Zs.
    by rewrite eH -scalemxAr !mulmxA eW -!scalemxAl scalerA mulrA mulVf // mul1r.
  have e2 : W = - lw^-1 *: (G *m H^T).
    have -> : G *m H^T = - (x / (N%:R ^+ 2 * lh)) *: W.
      rewrite eH /G trmxZ -mulmxA trmx_mul trmxK -scalemxAl -scalemxAr mulmxA scalerA.
      rewrite -{1}PW mulmxA BT -scalemxAl PW scalerA; congr (_ *: _).
      by field; rewrite lhN NN.
    rewrite scalerA; case: slack => [sz|->]; last first.
      by rewrite -[LHS]scale1r; congr (_ *: _); field; rewrite lwN lhN NN.
    have -> : W = 0.
      apply/eqP; rewrite -trmx_eq0 -gram_eq0 trmxK eW sz mulr0 scale0r //.
    by rewrite scaler0.
  split=> //.
  - rewrite grad; apply/(softmax_bregman_eq0 E T K0 N0 w0).
    by rewrite /logits fit mulmxDr mulmxA pal_bias_ctr // mul0mx addr0.
  - have -> : H *m G^T = - lw *: W^T.
      have eT : W^T = - lw^-1 *: (H *m G^T) by rewrite {1}e2 trmxZ trmx_mul trmxK.
      rewrite eT scalerA -[LHS]scale1r; congr (_ *: _).
      by field.
    rewrite {1}HE -scalemxAl scalerA; congr (_ *: _).
    by field.
  rewrite subr0; move: eb; rewrite /pal_bias.
  by case: (m) => [->|_|? ->] /=; rewrite ?scaler0 ?scale0r.
case: (cz) => e1 e2 e3 _.
have PW : P *m W = W by rewrite e2 -scalemxAr mulmxA PG.
have WP : W^T *m P = W^T by rewrite -{1}ctr_tr -trmx_mul PW.
have fit : W *m H + P *m b *m ones N = Zs.
  move: e1; rewrite grad => /(softmax_bregman_eq0 E T K0 N0 w0).
  by rewrite PZs /logits mulmxDr !mulmxA PW.
have eb : pal_bias b.
  case: (bias_determined lw0 lh0 cert ok cz) => [->|[mf H1]].
    by rewrite /pal_bias; case: (m) => //; rewrite mulmx0.
  rewrite /pal_bias mf; have := congr1 (mulmx^~ (ones N)^T) fit.
  rewrite /= mulmxDl -!mulmxA H1 onesK mulmx0 add0r /Zs -scalemxAl B1 scaler0.
  by rewrite !mul_mx_scalar -scalemxAr => /eqP; rewrite scaler_eq0 (negbTE NN) => /eqP.
rewrite pal_bias_ctr // mul0mx addr0 in fit.
have HE : H = - lh^-1 *: (W^T *m G).
  have -> : W^T = - lw^-1 *: (H *m G^T) by rewrite {1}e2 trmxZ trmx_mul trmxK.
  rewrite -scalemxAl -e3 !scalerA -[LHS]scale1r; congr (_ *: _).
  by field; rewrite lwN lhN.
split=> //; split.
  have -> : W *m W^T = - lw^-1 *: (G *m (W *m H)^T).
    by rewrite {1}e2 -scalemxAl trmx_mul mulmxA.
  rewrite fit /Zs /G trmxZ -scalemxAl -scalemxAr BB !scalerA; congr (_ *: _).
  case: slack => [->|->]; first by rewrite !(mulr0, mul0r).
  by field; rewrite lwN NN.
rewrite HE /G -scalemxAr scalerA /B !mulmxA WP; congr (_ *: _).
by field; rewrite lhN NN.
Qed.

(** ... which exist for d >= K - 1 (any d when s = 0). *)
Theorem pick_all_labels_attained : (K.-1 <= d)%N \/ s = 0 ->
  exists W H, f W H 0 = pal_value /\ pal_collapse W H.
Proof.
move=> dim; pose r := N%:R * lh * s.
have r0 : 0 <= r by rewrite !mulr_ge0 // ltW.
have St : (r *: P)^T = r *: P by rewrite trmxZ ctr_tr.
have Sp : psd (r *: P) by apply: (psdZ r0); exact: ctr_psd.
have rk : (\rank (r *: P : 'M[R]_K) <= d)%N.
  case: dim => [Kd|sz]; last by rewrite /r sz mulr0 scale0r mxrank0.
  by apply: leq_trans (mxrank_scale _ _) _; rewrite rank_ctr.
have [M MM] := gram_factor St Sp rk.
pose H := (N%:R * lh)^-1 *: (M^T^T *m T *m D).
have c : pal_collapse M^T H by split=> //; rewrite trmxK MM.
have ok : bias_allowed m (0 : 'cV[R]_K) by case: (m).
exists M^T, H; split=> //; apply/(pick_all_labels_iff M^T H ok); split=> //.
by rewrite /pal_bias; case: (m) => //; rewrite mulmx0.
Qed.

Theorem pick_all_labels_minimisers W H b : (K.-1 <= d)%N \/ s = 0 ->
  global_min pick_all_labels lw lh m W H b <->
  [/\ bias_allowed m b, pal_collapse W H & pal_bias b].
Proof.
move=> /pick_all_labels_attained [W1 [H1 [e1 _]]].
have ok0 : bias_allowed m (0 : 'cV[R]_K) by case: (m).
split=> [[ok mn]|[ok nc eb]].
  have : f W H b = pal_value.
    by apply/eqP; rewrite eq_le pick_all_labels_lower // andbT -e1; exact: mn.
  by move/(pick_all_labels_iff W H ok) => [].
split=> // W' H' b' ok'; rewrite (pick_all_labels_iff W H ok).2 //.
exact: pick_all_labels_lower.
Qed.

(** d >= K - 1 is needed as soon as s > 0. *)
Theorem pick_all_labels_needs_dim W H b : (d < K.-1)%N -> s != 0 ->
  bias_allowed m b -> pal_value < f W H b.
Proof.
move=> dK sN ok; rewrite lt_neqAle pick_all_labels_lower // andbT eq_sym; apply/eqP.
case/(pick_all_labels_iff W H ok) => -[eW _] _; move: dK; rewrite ltnNge => /negP; apply.
have rN : N%:R * lh * s != 0 by rewrite !mulf_neq0.
by rewrite -(rank_ctr R K0) -(mxrank_scale_nz _ rN) -eW -{1}[W]trmxK gram_rank.
Qed.
End Mode.

(** h_i = gamma_{m_i}/(N lh) sum_{k in S_i} w_k *)
Lemma pal_feature W H l j : pal_collapse W H ->
  H l j = (N%:R * lh)^-1 * ((\sum_(k in S j) W k l) * gam #|S j|).
Proof.
case=> _ ->; rewrite mxE; congr (_ * _); rewrite mul_mx_diag [LHS]mxE [X in _ * X]mxE.
congr (_ * _); rewrite mxE [RHS]big_mkcond; apply: eq_bigr => k _; rewrite !mxE.
by case: (k \in S j); rewrite ?mulr1 ?mulr0.
Qed.
(** Features of a tag set coincide ... *)
Theorem pal_within_class W H i j : pal_collapse W H -> S i = S j -> col i H = col j H.
Proof.
by move=> h e; apply/colP => l; rewrite [LHS]mxE [RHS]mxE !(pal_feature _ _ h) e.
Qed.
(** ... and are tag-wise averages: gamma_m/gamma_1 times the sum of the features of
    their single tags. *)
Theorem pal_tag_average W H i (single : 'I_K -> 'I_N) : pal_collapse W H ->
  (forall k, S (single k) = [set k]) ->
  col i H = (gam #|S i| / gam 1%N) *: \sum_(k in S i) col (single k) H.
Proof.
move=> h sg; have g1 : gam 1%N != 0.
  pose k0 := Ordinal K0; have := tag_slope_gt0 K0 E S0 (single k0) (a 1%N).
  by rewrite /tag_count sg cards1 => g0; rewrite gt_eqF.
apply/colP => l; rewrite [LHS]mxE (pal_feature _ _ h) [RHS]mxE summxE.
rewrite [in RHS](eq_bigr (fun k => (N%:R * lh)^-1 * gam 1%N * W k l)) => [|k _]; last first.
  by rewrite mxE (pal_feature _ _ h) sg cards1 big_set1; ring.
rewrite -mulr_sumr; move: (\sum_(_ in _) _) => w.
by move: (gam 1%N) g1 (N%:R * lh)^-1 => y yN z; field.
Qed.
End Margins.
End PickAllLabels.
